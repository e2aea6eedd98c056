"""Sound, subtitles, chapters and titles: kept where a kind of file can hold them, or said."""

import pytest

from filming import AMR, make, sound_of
from impasto.errors import OptionError
from impasto.stylization.film import stylize_film

av = pytest.importorskip("av")


@pytest.mark.parametrize(
    ("name", "options", "suffixes", "other"),
    [
        ("phone.3gp", AMR, [".mp4", ".mkv"], ".mov"),
        ("clip.mkv", {"sound": "libopus"}, [".mov"], ".mp4"),  # refused when a file begins
        ("old.avi", {"codec": "mpeg4", "sound": "pcm_s16le"}, [".mp4"], ".mov"),  # at its end
    ],
)
def test_a_kind_that_cannot_hold_the_sound_is_refused_and_one_that_can_is_named(
    painter, tmp_path, name, options, suffixes, other
):
    clip = make(tmp_path / name, frames=3, **options)
    for suffix in suffixes:
        with pytest.raises(
            OptionError, match=rf"{suffix} cannot hold .* - write a {other} instead"
        ):
            stylize_film(clip, tmp_path / f"painted{suffix}", painter)
    target = tmp_path / f"painted{other}"
    stylize_film(clip, target, painter)
    assert sound_of(target) == sound_of(clip)


def test_sound_that_no_kind_can_hold_is_refused_with_another_way_out(painter, tmp_path):
    clip = make(tmp_path / "clip.asf", frames=3, codec="mpeg4", sound="wmav2")
    with pytest.raises(OptionError, match=r"\(wmav2\) - make its sound AAC first"):
        stylize_film(clip, tmp_path / "painted.mkv", painter)
