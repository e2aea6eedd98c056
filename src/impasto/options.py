"""Every knob of impasto: its default, its range, and one line that says what it does.

The command line takes its defaults and help from here, the service its fields, and the
documentation is tested against it.
"""

from __future__ import annotations

from dataclasses import dataclass

from impasto.knobs import Checked, knob


@dataclass(frozen=True)
class StylizeOptions(Checked):
    """How a photograph is painted."""

    strength: float = knob(1.0, "How much of the painting: 0 none, 1 all.", low=0, high=1)
    keep_colors: bool = knob(False, "Keep the photograph's colours; paint lightness only.")
    size: int | None = knob(
        None,
        "Long side of the result in pixels; as it is by default.",
        low=1,
        high=65_500,
    )
    stroke: float | None = knob(
        None,
        "Brush size in proportion to the picture, 1 as at 1024 pixels; else fixed in pixels.",
        low=0.1,
        high=10,
    )
    grain: float = knob(
        6.0,
        "Grain laid over a photograph first, in levels of 255: brush marks in a clear sky, too.",
        low=0,
        high=64,
    )


@dataclass(frozen=True)
class ReadOptions(Checked):
    """What is read, and what is refused from the header."""

    max_pixels: int = knob(200_000_000, "Largest picture that is read, in pixels.", low=1)
    max_side: int = knob(65_500, "Longest side that is read, in pixels.", low=1)
    max_bytes: int = knob(1_000_000_000, "Largest file that is read, in bytes.", low=1)


@dataclass(frozen=True)
class WriteOptions(Checked):
    """How a picture becomes a file."""

    quality: int = knob(95, "Quality of JPEG, WebP and AVIF (JPEG at 4:4:4).", low=1, high=100)
    strip: bool = knob(False, "Drop all metadata: camera, date, place, comments.")


@dataclass(frozen=True)
class NetworkOptions(Checked):
    """The shape of a transform network."""

    design: str = knob(
        "impasto", "Design: impasto (ours, fast) or johnson (2016).", choices=("impasto", "johnson")
    )
    width: int = knob(
        16, "Channels of the first layer; doubled at each step down.", low=4, high=128
    )
    blocks: int = knob(4, "Residual blocks.", low=0, high=32)
    norm: str = knob("instance", "Norm: instance or batch.", choices=("instance", "batch"))
    activation: str = knob("relu", "Activation: relu or selu.", choices=("relu", "selu"))
    separable: bool = knob(False, "Depthwise-separable convolutions in the residual blocks.")
    upsampling: str = knob(
        "bilinear",
        "johnson enlarges by: bilinear or nearest (then convolved), or transposed.",
        choices=("bilinear", "nearest", "transposed"),
    )
    shrink: int = knob(
        1, "johnson works at a half (2) or a quarter (4) of the size.", low=1, high=4
    )
    pad: str = knob(
        "replicate",
        "johnson pads by: replicate, reflect or zeros.",
        choices=("replicate", "reflect", "zeros"),
    )
    output: str = knob(
        "linear", "johnson ends in: linear, tanh or sigmoid.", choices=("linear", "tanh", "sigmoid")
    )


@dataclass(frozen=True)
class LossOptions(Checked):
    """What makes a painting good: the same words for the optimiser and the trainer.

    Layers are ``NAME`` or ``NAME:WEIGHT``; without any, the loss network's own are taken.
    """

    loss_network: str = knob("vgg19", "Loss network: vgg19, vgg16, resnet50, ...", was="network")
    weights: str | None = knob(None, "File with that network's weights; found by default.")
    pooling: str = knob("max", "Pooling: max or average.", choices=("max", "average"))
    padding: str = knob(
        "replicate",
        "Padding: replicate (edge repeated, first layer), same (zeros) or valid (none).",
        choices=("same", "valid", "replicate"),
    )
    content_layers: tuple[str, ...] = knob((), "Layers of the content loss.")
    style_layers: tuple[str, ...] = knob((), "Layers of the style loss.")
    statistic: str = knob(
        "gram",
        "What style is: gram, moments (mean and deviation) or wasserstein (mean, covariance).",
        choices=("gram", "moments", "wasserstein"),
    )
    scale: str = knob(
        "relative",
        "How losses are scaled: relative (to the target), or as gatys, johnson or mean do.",
        choices=("relative", "gatys", "johnson", "mean"),
    )
    balance: str = knob(
        "none",
        "initial divides each layer's loss by what it is at the start.",
        choices=("none", "initial"),
    )
    content_weight: float = knob(1.0, "Weight of the content loss.", low=0)
    style_weight: float = knob(8.0, "Weight of the style loss.", low=0)
    tv_weight: float = knob(0.3, "Weight of total variation: higher is smoother.", low=0)
    tv: str = knob(
        "anisotropic",
        "Total variation: anisotropic, isotropic, or squared (summed, 0 to 255).",
        choices=("anisotropic", "isotropic", "squared"),
    )


@dataclass(frozen=True)
class OptimizeOptions(Checked):
    """How a picture is optimised."""

    size: int = knob(512, "Long side of the result in pixels.", low=32, high=8192)
    steps: int = knob(200, "Evaluations of loss and gradient, over all scales.", low=1)
    scales: int = knob(
        0, "Sizes from coarse to fine, each twice the one before; 0 chooses.", low=0, high=8
    )
    optimizer: str = knob("lbfgs", "Optimiser: lbfgs or adam.", choices=("lbfgs", "adam"))
    learning_rate: float = knob(0.02, "Adam's step, of a range of 1.", low=1e-6, high=1)
    history: int = knob(10, "Pairs that L-BFGS remembers.", low=1, high=100)
    start: str = knob(
        "content", "Start from content, style, uniform, normal, grey, or a picture's file."
    )
    noise: float = knob(0.0, "Part of uniform noise mixed into the start.", low=0, high=1)
    average: float = knob(
        0.0, "Decay of the running mean of iterates that is the result; 0: the last.",
        low=0, high=0.9999,
    )  # fmt: skip
    tolerance: float = knob(
        0.0,
        "Stop a scale when a step improves the loss by a smaller part than this.",
        low=0,
        high=1,
    )
    box: bool = knob(True, "Keep every pixel within black and white at each step.")
    seed: int = knob(0, "Same seed, same picture.", low=0)
    device: str = knob(
        "auto", "Device: auto, cpu, cuda or mps.", choices=("auto", "cpu", "cuda", "mps")
    )
    style_scale: float = knob(
        1.0, "Size of the style picture beside the content: larger, bolder.", low=0.05, high=8
    )
    style_size: int | None = knob(
        None,
        "Long side of the style picture in pixels, instead of --style-scale.",
        low=32,
        high=8192,
    )
    style_crop: str = knob(
        "whole",
        "Part of the style: whole, left, center, right, auto, or X,Y,WIDTH,HEIGHT (0 to 1).",
    )
    colors: str = knob(
        "painting",
        "Colours: painting; or the photograph's by luminance, statistics or histogram.",
        choices=("painting", "luminance", "statistics", "histogram"),
    )
    loss: LossOptions = knob(LossOptions(), "What is made small.")


@dataclass(frozen=True)
class TrainOptions(Checked):
    """How styles are learnt. The weights are of relative losses: one default serves all."""

    steps: int = knob(2000, "Training steps.", low=1)
    batch: int = knob(1, "Photographs per step.", low=1, high=1024)
    crop: int = knob(256, "Side of the training crops in pixels.", low=64, high=2048)
    style_size: int = knob(
        384, "Long side of the painting: larger, bolder strokes.", low=64, high=4096
    )
    style_crop: str = knob(
        "whole",
        "Part of the painting: whole, left, center, right, or X,Y,WIDTH,HEIGHT (0 to 1).",
    )
    grain: float = knob(
        StylizeOptions.grain,
        "Grain of the photographs, in levels of 255, as impasto stylize lays over them.",
        low=0,
        high=64,
    )
    learning_rate: float = knob(6e-3, "Peak learning rate.", low=1e-6, high=1)
    tune: str = knob(
        "all",
        "What is learnt: all, or only the norms of new styles in the network of --start.",
        choices=("all", "norms"),
    )
    strength: bool = knob(False, "Learn the strength of the style as an input.")
    held_out: int = knob(4, "Photographs kept apart to validate with.", low=0, high=1000)
    precompute: int = knob(
        0, "Crops whose content features are kept on disk and used again; 0: none.", low=0
    )
    tensorboard: bool = knob(False, "Write losses for TensorBoard as well.")
    seed: int = knob(0, "Same seed, same photographs, same network.", low=0)
    save_every: int = knob(100, "Steps between checkpoints.", low=1)
    loss: LossOptions = knob(
        LossOptions(
            content_layers=("conv3_2",),
            style_layers=("conv1_1", "conv2_1", "conv3_1", "conv4_1"),
            style_weight=20.0,
        ),
        "What is made small.",
    )
    network: NetworkOptions = knob(NetworkOptions(), "Shape of the network.")


@dataclass(frozen=True)
class DistillOptions(Checked):
    """How a smaller network learns to paint as a style does."""

    steps: int = knob(2000, "Training steps.", low=1)
    batch: int = knob(2, "Photographs per step.", low=1, high=1024)
    crop: int = knob(256, "Side of the training crops in pixels.", low=64, high=2048)
    grain: float = knob(
        StylizeOptions.grain,
        "Grain of every other photograph, in levels of 255; films are painted without.",
        low=0,
        high=64,
    )
    calm: bool = knob(
        False, "Learn what the style paints without grain: noise changes the paintings less."
    )
    learning_rate: float = knob(6e-3, "Peak learning rate.", low=1e-6, high=1)
    held_out: int = knob(8, "Photographs kept apart to compare on.", low=0, high=1000)
    seed: int = knob(0, "Same seed, same photographs, same network.", low=0)
    network: NetworkOptions = knob(NetworkOptions(width=8, blocks=2), "Shape of the network.")


@dataclass(frozen=True)
class QuantizeOptions(Checked):
    """How a style's network is brought to 8 bits."""

    count: int = knob(24, "Photographs that ranges are measured on.", low=1, high=1000)
    held_out: int = knob(
        12, "Other photographs, that both networks are compared on.", low=1, high=1000
    )
    size: int = knob(768, "Long side of the photographs in pixels.", low=64, high=2048)


@dataclass(frozen=True)
class EvaluateOptions(Checked):
    """How the quality of a trained style is measured."""

    count: int = knob(5, "Photographs that are measured.", low=1, high=1000)
    size: int = knob(256, "Long side of the photographs in pixels.", low=64, high=2048)
    iterations: int = knob(
        500, "Iterations of L-BFGS that the network is compared with.", low=1, high=10_000
    )
    start: str = knob(
        "noise",
        "Where L-BFGS begins: noise, as published, or the content, a harder match.",
        choices=("noise", "content"),
    )
    grain: float = knob(
        StylizeOptions.grain,
        "Grain of the photographs that the network paints, as impasto stylize lays over them.",
        low=0,
        high=64,
    )
    noise: float = knob(
        2.0, "Deviation of the noise that tests for flicker, of 255.", low=0.5, high=64
    )
    second: str | None = knob(None, "Second loss network that measures content as well.")
    second_weights: str | None = knob(None, "File with its weights; found by default.")
    seed: int = knob(0, "Same seed, same noise.", low=0)
    device: str = knob(
        "auto",
        "Device of the loss network: auto, cpu, cuda or mps.",
        choices=("auto", "cpu", "cuda", "mps"),
    )


@dataclass(frozen=True)
class SearchOptions(Checked):
    """How layers and weights are searched, on small paintings of the optimiser."""

    trials: int = knob(60, "Paintings that are tried, those of earlier calls included.", low=1)
    size: int = knob(192, "Long side of the paintings in pixels.", low=64, high=2048)
    steps: int = knob(60, "Evaluations of loss and gradient for each.", low=1)
    loss_network: str = knob("vgg19", "Loss network whose layers are searched.", was="network")
    weights: str | None = knob(None, "File with its weights; found by default.")
    judge: str = knob("squeezenet1_1", "Loss network that judges; another than --loss-network.")
    judge_weights: str | None = knob(None, "File with its weights; found by default.")
    choices: int = knob(8, "Best balances that are shown and written.", low=1, high=26)
    seed: int = knob(0, "Same seed, same trials, if one process makes them all.", low=0)


@dataclass(frozen=True)
class ServeOptions(Checked):
    """What the service takes, and how long it works on it. No request can change these."""

    host: str = knob("127.0.0.1", "Address to listen at; any but this machine's own needs --token.")
    port: int = knob(8000, "Port to listen at; 0 takes a free one.", low=0, high=65_535)
    token: str | None = knob(None, "Password of the API, as Authorization: Bearer TOKEN.")
    redis: str | None = knob(
        None, "Keep jobs in this Redis (redis://...); impasto worker does them."
    )
    state: str | None = knob(None, "Folder where jobs are kept; in the user's cache by default.")
    device: str = knob("auto", "Device that paints; impasto doctor lists them.")
    painters: int = knob(0, "Processes that paint; 0 chooses.", low=0, high=256)
    queue: int = knob(16, "Requests, and jobs, that wait at most; more get 429.", low=0)
    deadline: float = knob(30.0, "Seconds for a picture, its waiting included.", low=0.1)
    job_deadline: float = knob(1800.0, "Seconds for a job, its waiting not included.", low=0.1)
    idle: float = knob(10.0, "Seconds without a byte until a sender is given up.", low=0.1)
    expires: float = knob(600.0, "Seconds that the result of a job is kept.", low=0.1)
    results: int = knob(
        1_000_000_000, "Bytes of results that are kept; the oldest go first.", low=1
    )
    max_bytes: int = knob(33_554_432, "Largest body of a request, in bytes.", low=1)
    max_pixels: int = knob(40_000_000, "Largest picture that is read, in pixels.", low=1)
    max_side: int = knob(16_384, "Longest side that is read, in pixels.", low=1)
    stylize_side: int = knob(2048, "Longest side that is painted at once; jobs do more.", low=64)
    job_side: int = knob(8192, "Longest side that a job paints.", low=64)
    optimize_side: int = knob(1024, "Longest side of an optimised picture.", low=64)
    film_frames: int = knob(1800, "Frames of the longest film.", low=1)
