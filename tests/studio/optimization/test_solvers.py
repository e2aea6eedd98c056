import pytest
import torch
import torch.nn.functional as F

from impasto.studio.optimization.solvers import Adam, Lbfgs


def bowl(size, seed=0):
    """A badly scaled quadratic in a picture, and the picture that it is least at."""
    generator = torch.Generator().manual_seed(seed)
    goal = torch.rand(1, 3, *size, generator=generator) * 0.8 + 0.1
    stiffness = torch.logspace(0, 3, goal.numel()).view_as(goal)

    def evaluate(x):
        return float((stiffness * (x - goal).square()).sum() / 2), stiffness * (x - goal)

    return goal, evaluate


def run(solver, x, evaluate, steps):
    losses = []
    for _ in range(steps):
        loss, gradient = evaluate(x)
        losses.append(loss)
        x = solver.propose(x, loss, gradient)
    return x, losses


def test_lbfgs_finds_the_bottom_of_a_badly_scaled_bowl():
    goal, evaluate = bowl((6, 6))
    _, losses = run(Lbfgs(), torch.full_like(goal, 0.5), evaluate, 120)
    assert min(losses) < 1e-4 * losses[0]
    descent = torch.full_like(goal, 0.5)
    for _ in range(120):  # the best constant step of plain descent
        descent = descent - evaluate(descent)[1] / 1000
    assert min(losses) < evaluate(descent)[0] / 50


def test_lbfgs_takes_a_step_back_that_made_it_worse():
    solver, x = Lbfgs(), torch.full((1, 3, 4, 4), 0.5)
    moved = solver.propose(x, 1.0, torch.ones_like(x))
    halved = solver.propose(moved, 2.0, torch.ones_like(x))
    assert torch.allclose(halved - x, (moved - x) / 2)


@pytest.mark.parametrize("make", [Lbfgs, Adam])
def test_the_box_holds_and_can_be_left_away(make):
    goal = torch.full((1, 3, 4, 4), 1.5)
    inside, outside = (
        run(
            make(box=box),
            torch.full_like(goal, 0.5),
            lambda x: (float((x - goal).square().sum()), 2 * (x - goal)),
            200,
        )[0]
        for box in (True, False)
    )
    assert inside.max() == 1
    assert outside.max() > 1.2


def test_adam_equals_torchs_where_no_bound_is_met():
    goal, evaluate = bowl((4, 4))
    x, _ = run(Adam(0.01), torch.full_like(goal, 0.5), evaluate, 5)
    parameter = torch.full_like(goal, 0.5).requires_grad_(True)
    reference = torch.optim.Adam([parameter], lr=0.01)
    for _ in range(5):
        parameter.grad = evaluate(parameter.detach())[1]
        reference.step()
    assert torch.allclose(x, parameter.detach(), atol=1e-6)


def test_what_lbfgs_learnt_on_the_coarse_picture_helps_on_the_fine_one():
    """The same smooth problem at twice the size, its gradient per pixel a quarter."""
    stiffness = torch.logspace(0, 2, 8).view(1, 1, 1, 8).expand(1, 3, 8, 8)
    fine = F.interpolate(stiffness, scale_factor=2.0, mode="bilinear")
    goal = torch.full((1, 3, 8, 8), 0.7)

    def coarse_problem(x):
        return float((stiffness * (x - goal).square()).mean()), stiffness * (x - goal)

    def fine_problem(x):
        loss = (fine * (x - 0.7).square()).mean()
        return float(loss), fine * (x - 0.7) / 4

    carried = Lbfgs()
    run(carried, torch.full((1, 3, 8, 8), 0.2), coarse_problem, 25)
    carried.resize(16, 16)
    start = torch.full((1, 3, 16, 16), 0.4)
    _, with_state = run(carried, start, fine_problem, 6)
    _, without = run(Lbfgs(), start, fine_problem, 6)
    assert min(with_state) < min(without)


def test_adam_goes_on_at_another_size_as_if_nothing_had_happened():
    """A gradient that is shared by four times the pixels leads to the same steps."""
    solver, gradient = Adam(0.01), torch.full((1, 3, 4, 4), 0.8)
    x = torch.full_like(gradient, 0.5)
    for _ in range(3):
        x = solver.propose(x, 0.0, gradient)
    unbroken = solver.propose(x, 0.0, gradient) - x
    again = Adam(0.01)
    x = torch.full_like(gradient, 0.5)
    for _ in range(3):
        x = again.propose(x, 0.0, gradient)
    again.resize(8, 8)
    larger = F.interpolate(x, (8, 8))
    moved = again.propose(larger, 0.0, torch.full_like(larger, 0.2)) - larger
    assert torch.allclose(moved, unbroken.mean().expand_as(moved), atol=1e-6)
