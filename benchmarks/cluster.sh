#!/bin/sh
# Machines that are namespaces of this one: each has its own network, processes, name, /tmp and home,
# and no disk that another sees. All have the programs of this machine. It needs root, util-linux
# (unshare, nsenter) and iproute2 (ip); what runs on this machine itself sees nothing of them.
#
#   cluster.sh up DIR COUNT            start them
#   cluster.sh limit DIR N PERCENT     one may use so much of a processor
#   cluster.sh on DIR N COMMAND...     run a command on one, as root, in its /tmp, which is DIR/N here
#   cluster.sh cut DIR N               its network cable is pulled ...
#   cluster.sh join DIR N              ... and put back
#   cluster.sh kill DIR N              its power fails
#   cluster.sh down DIR                all are gone; DIR stays
#
# Machine N has the address 10.77.0.N and the name machineN.
set -eu

NET=10.77.0
CPU=/sys/fs/cgroup/cpu
[ -d "$CPU" ] || CPU=/sys/fs/cgroup # one tree for all, since version 2

inside() { # NAME COMMAND...: in the namespaces that $DIR/NAME.pid holds open
    pid=$(cat "$DIR/$1.pid")
    shift
    exec nsenter --target "$pid" --all "$@"
}

hold() { # NAME SETUP LAST UNSHARE...: new namespaces, which a process that sleeps holds open
    name=$1 setup="set -e; $2; touch '$DIR/$1.up'; $3; exec sleep infinity"
    shift 3
    unshare "$@" --fork --kill-child sh -c "$setup" >/dev/null 2>&1 </dev/null &
    parent=$!
    for _ in $(seq 100); do
        [ -e "$DIR/$name.up" ] && break
        sleep 0.05
    done
    [ -e "$DIR/$name.up" ] || { echo "$name did not start" >&2; exit 1; }
    tr -d ' ' <"/proc/$parent/task/$parent/children" >"$DIR/$name.pid"
}

limit() { # N PERCENT: no more, and before what else runs on this computer no less
    if [ -e "$CPU/cgroup.controllers" ]; then
        echo +cpu >"$CPU/cgroup.subtree_control"
        echo "$(($2 * 1000)) 100000" >"$(group "$1")/cpu.max"
        echo 10000 >"$(group "$1")/cpu.weight"
    else
        echo $(($2 * 1000)) >"$(group "$1")/cpu.cfs_quota_us"
        echo 10240 >"$(group "$1")/cpu.shares"
    fi
}

group() {
    echo "$CPU/impasto-$(basename "$DIR")-$1"
}

up() {
    echo "127.0.0.1 localhost" >"$DIR/hosts"
    for n in $(seq "$1"); do
        echo "$NET.$n machine$n" >>"$DIR/hosts"
    done
    hold switch "ip link add bridge type bridge; ip link set bridge up" : --net
    switch=$(cat "$DIR/switch.pid")
    for n in $(seq "$1"); do
        mkdir -p "$DIR/$n/home" "$(group "$n")"
        hold "$n" "hostname machine$n; mount --bind '$DIR/hosts' /etc/hosts; mount -t tmpfs shm /dev/shm" \
            "mount --bind '$DIR/$n' /tmp" --net --mount --pid --uts --ipc --mount-proc
        nsenter --target "$switch" --net ip link add "machine$n" type veth peer name eth0 netns "$(cat "$DIR/$n.pid")"
        nsenter --target "$switch" --net ip link set "machine$n" master bridge up
        (inside "$n" sh -c "ip link set lo up; ip link set eth0 up; ip addr add $NET.$n/24 dev eth0")
    done
}

on() { # N COMMAND...
    n=$1
    shift
    echo $$ >"$(group "$n")/cgroup.procs"
    inside "$n" env HOME=/tmp/home TMPDIR=/tmp sh -c 'cd /tmp && exec "$@"' sh "$@"
}

down() {
    for file in "$DIR"/*.pid; do
        [ ! -e "$file" ] || kill -9 $(cat "$file") 2>/dev/null || true
        rm -f "$file" "${file%.pid}.up"
    done
    for group in "$(group '')"*; do
        for _ in $(seq 50); do # until the last process in it is gone
            [ ! -d "$group" ] || rmdir "$group" 2>/dev/null || { sleep 0.1; continue; }
            break
        done
    done
}

action=$1 DIR=$(realpath "$2")
shift 2
case $action in
up) up "$@" ;;
on) on "$@" ;;
cut) inside switch ip link set "machine$1" down ;;
limit) limit "$@" ;;
join) inside switch ip link set "machine$1" up ;;
kill) kill -9 $(cat "$DIR/$1.pid") ;;
down) down ;;
*) echo "cluster.sh: there is no $action" >&2; exit 2 ;;
esac
