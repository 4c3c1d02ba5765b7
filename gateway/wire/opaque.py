"""What stands in requests and answers that is no text: pictures, sounds, files, and what a model's provider has sealed.

It is none only in its own place, and only if it begins and goes on as such a thing does. Pure.
"""

import re

_LINKS = frozenset({"image_url", "image_url.url", "video_url.url", "file.file_data"})
_SOUNDS = frozenset({"input_audio.data"})
_SPOKEN = frozenset({"audio.data"})
_SEALED = frozenset({"signature", "data", "encrypted_content"})
_BELONG_TO = frozenset(name for name in _LINKS | _SOUNDS | _SPOKEN if "." in name)
"""Fields that only are what they are inside another one."""

_PART = r"(?:messages\[\d+\]|choices\[\d+\]\.message)\."
_PLACE = re.compile(
    rf"{_PART}(?:content|images)\[\d+\]\.(?:image_url|(?:image_url|video_url)\.url|file\.file_data|input_audio\.data)"
    r"|choices\[\d+\]\.message\.audio\.data"
    rf"|{_PART}(?:content|thinking_blocks|reasoning_details)\[\d+\]\.(?:signature|data|encrypted_content)"
)
"""Where something may stand that is no text. Anywhere else it is one, whatever the field is called."""

_BEGINS = (
    r"(?:/9j/|iVBORw0KGgo|R0lGOD|UklGR|Qk[0-3]|SUkq|TU0A|AAA[AB]|GkXfo|T2dnU|ZkxhQ|SUQz|//[A-Pg-v]"
    r"|JVBERi|UEsDB|0M8R4K)"
)
"""As pictures, sounds and films do in base64, and files as PDF, ZIP (as those of office programs) and OLE."""

_KIND = (
    r"(?:image/(?:png|jpe?g|gif|webp|bmp|tiff|hei[cf]|avif|x-icon)|(?:audio|video)/(?:wav|x-wav|mpeg|mp[34]|ogg|flac|webm"
    r"|quicktime)|application/(?:pdf|zip|octet-stream|msword|vnd\."
    r"(?:openxmlformats-officedocument|oasis\.opendocument|ms-)[a-z.]{1,40}))"
)
_OPAQUE = re.compile(rf"data:{_KIND};base64,{_BEGINS}[A-Za-z0-9+/]*={{0,2}}")
_SOUND = re.compile(rf"{_BEGINS}[A-Za-z0-9+/]*={{0,2}}")
_BASE64 = re.compile(r"(?!\d*\Z)[A-Za-z0-9+/]*={0,2}")
_SEAL = re.compile(r"(?!.*\d{8})[A-Za-z0-9+/_-]{64,}={0,2}")


def inner_name(name: str, outer: str) -> str:
    """The name of a field; of what only is what it is inside another one, both together."""
    return whole if (whole := f"{outer}.{name}") in _BELONG_TO else name


def is_opaque(name: str, text: str) -> bool:
    """Whether it is a sound, a picture or the like, or sealed: what only whoever sealed it can read."""
    if name in _LINKS:
        return text.startswith("data:") and _OPAQUE.fullmatch(text) is not None
    if name in _SOUNDS:
        return _SOUND.fullmatch(text) is not None
    if name in _SPOKEN:
        return _BASE64.fullmatch(text) is not None
    return name in _SEALED and _SEAL.fullmatch(text) is not None


def is_in_place(name: str, place: str, *, is_model: bool) -> bool:
    """Whether such a field belongs there. `is_model`: whether it is of an answer, now or earlier: only those have
    seals."""
    return _PLACE.fullmatch(place) is not None and (name not in _SEALED or is_model)
