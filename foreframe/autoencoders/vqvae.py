"""The two-level VQ-VAE of Xu 2022, 4.2: VQ-VAE-2 with every convolution in three dimensions.

The bottom codes keep T/2 x H/4 x W/4 positions, the top codes T/4 x H/8 x W/8; one decoder takes
both. Shapes: B batch, C colour channels, F features (width), D code dimension, T time, H height,
W width; _b and _t mark tensors of the bottom and the top level.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from torch import Tensor, nn

from foreframe.autoencoders import Stride
from foreframe.autoencoders.two_levels import (
    BOTTOM,
    TOP,
    CodebookSettings,
    CodebookSize,
    Size,
    TwoLevels,
)
from foreframe.config.training import Training
from foreframe.data import views
from foreframe.models import Shape
from foreframe.networks.residual import Kernel, ResidualStack
from foreframe.networks.upsampling import Upsampling
from foreframe.randomness import Numbers

# Video positions for one code position, (T, H, W), top first.
STRIDES = {TOP: (4, 8, 8), BOTTOM: (2, 4, 4)}
Odd = Annotated[int, Field(ge=1), AfterValidator(lambda side: _odd(side))]


class Settings(CodebookSettings):
    """The section of params.yaml; encoders and decoder share width and residual layers."""

    version: ClassVar[int] = 3

    kind: Literal["vqvae"]
    training: Training
    width: Size
    residual_width: Size
    residual_layers: Annotated[int, Field(ge=0)]
    residual_kernel: tuple[Odd, Odd, Odd]  # T, H, W of each layer's first convolution
    codebook_size: CodebookSize  # of each level
    upsampling_init: Literal["rescaled", "default"]  # default: torch's own; see `Upsampling`
    bottom_sees_top: bool  # as in VQ-VAE-2: the bottom encoder is given the decoded top
    bottom_dropout: Annotated[float, Field(ge=0, lt=1)]  # share of training clips without bottom

    @model_validator(mode="after")
    def _seen(self) -> Self:
        views.require(self.view, self.kind, of="frames", dequantise=False)
        return self

    def strides(self) -> dict[str, Stride]:
        """Return {"top": (4, 8, 8), "bottom": (2, 4, 4)}, in (frames, rows, columns)."""
        return STRIDES


def build(settings: Settings, given: Shape) -> "VQVAE":
    """Return the model of these settings, not yet initialized.

    Raises:
        UserError: clips of this shape are no multiple of what a code covers.
    """
    return VQVAE(settings, given)


class VQVAE(TwoLevels):
    """Encoders, codebooks and decoder; 3,198,339 weights at the thesis's widths."""

    settings: Settings
    top_upsampling: Upsampling

    def __init__(self, settings: Settings, given: Shape) -> None:
        super().__init__(settings, given, dict.fromkeys((TOP, BOTTOM), settings.codebook_size))
        width, dimension = settings.width, settings.code_dim
        self.bottom_encoder = nn.Sequential(_shrink(given.channels, width), _body(settings))
        self.top_encoder = nn.Sequential(nn.Conv3d(width, width, 4, 2, 1), _body(settings))
        self.top_projection = nn.Conv3d(width, dimension, 1)
        self.bottom_projection = nn.Conv3d(_bottom_inputs(settings), dimension, 1)
        self.top_quantizer = settings.quantizer(settings.codebook_size)
        self.bottom_quantizer = settings.quantizer(settings.codebook_size)
        self.top_decoder = _top_decoder(settings) if settings.bottom_sees_top else None
        self.top_upsampling = Upsampling(dimension, dimension, (2, 2, 2))
        self.decoder = nn.Sequential(
            nn.Conv3d(2 * dimension, width, 3, padding=1),
            _body(settings),
            Upsampling(width, given.channels, STRIDES[BOTTOM]),
        )

    def rescale(self) -> None:
        """Let transposed convolutions begin as large as those that they are computed by."""
        if self.settings.upsampling_init == "rescaled":
            for module in self.modules():
                if isinstance(module, Upsampling):
                    module.rescale()

    def _shown(self, bottom_BDTHW: Tensor, numbers: Numbers) -> Tensor:
        """Zero the bottom of some training clips, so that the top must carry the picture too.

        Xu 2022 names this as further work: a bottom that always suffices leaves the top unused.
        """
        share = self.settings.bottom_dropout
        if not self.training or share == 0:
            return bottom_BDTHW
        kept_B = numbers.uniform((len(bottom_BDTHW),)) >= share
        return bottom_BDTHW * kept_B.to(bottom_BDTHW)[:, None, None, None, None]


def _body(settings: Settings) -> ResidualStack:
    kernel: Kernel = settings.residual_kernel
    return ResidualStack(settings.width, settings.residual_width, settings.residual_layers, kernel)


def _shrink(inputs: int, outputs: int) -> nn.Conv3d:
    return nn.Conv3d(inputs, outputs, (4, 8, 8), stride=(2, 4, 4), padding=(1, 2, 2))


def _top_decoder(settings: Settings) -> nn.Sequential:
    """Bring the quantised top to the bottom's grid (VQ-VAE-2: Razavi 2019, 3.1)."""
    width, dimension = settings.width, settings.code_dim
    return nn.Sequential(
        nn.Conv3d(dimension, width, 3, padding=1),
        _body(settings),
        Upsampling(width, dimension, (2, 2, 2)),
    )


def _bottom_inputs(settings: Settings) -> int:
    return settings.width + (settings.code_dim if settings.bottom_sees_top else 0)


def _odd(side: int) -> int:
    if side % 2 == 0:
        raise ValueError(f"a residual kernel's sides must be odd, not {side}. Use 1, 3 or 5.")
    return side
