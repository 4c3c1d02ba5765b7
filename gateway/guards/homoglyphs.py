"""Letters and signs that look like ASCII ones, and are none by Unicode's compatibility forms.

After Unicode's confusables (UTS #39), for what is used to imitate Latin text: Cyrillic and Greek letters, a few
Armenian and Latin ones, small capitals, and signs.
"""

_LIKE = {
    # Cyrillic
    "аАӑ": "aAa", "ВЬв": "Bbb", "сСϲϹ": "cCcC", "ԁԀ": "dd", "еЕҽ": "eEe", "ԍɡ": "gg", "һҺНн": "hhHh",
    "іІїӀ": "iIiI", "јЈ": "jJ", "кКқ": "kKk", "ӏ": "l", "мМ": "mM", "пո": "nn", "оОօՕ": "oOoO", "рР": "pP",
    "ԛԚ": "qQ", "г": "r", "ѕЅ": "sS", "тТ": "tT", "цս": "uu", "ѵѴ": "vV", "ԝԜ": "wW", "хХ": "xX", "уУүҮ": "yYyY",
    # Greek
    "αΑ": "aA", "Β": "B", "εΕ": "eE", "Η": "H", "ιΙ": "iI", "κΚ": "kK", "Μ": "M", "νΝ": "vN", "οΟ": "oO", "ρΡ": "pP",
    "τΤ": "tT", "υΥ": "uY", "χΧ": "xX", "Ζ": "Z", "γ": "y", "ω": "w",
    # Latin that does not decompose
    "ıȷ": "ij", "ⅼ": "l", "ǀ": "l", "ɑ": "a", "øØ": "oO", "đĐ": "dD", "łŁ": "lL", "ħĦ": "hH", "ŧŦ": "tT",
    "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ": "abcdefghijklmnopqrstuvwyz",
    # signs
    "‐‑‒–—―−﹘⁃˗➖": "-----------", "․‧·•∙⋅。｡。": ".........", "‚،、": ",,,", "∕⁄╱⧸": "////", "∶ː։׃": "::::",
    "‘’‛′ʹʼˈ´": "''''''''", "“”„‟″": '"""""', "∗⁎": "**", "﹫": "@", "＿ˍ": "__", "∖⧵": "\\\\",
    "⟨‹": "<<", "⟩›": ">>", "ǃ": "!", "…": ".",
}  # fmt: skip


def _pairs() -> dict[str, str]:
    pairs: dict[str, str] = {}
    for these, those in _LIKE.items():
        if len(these) != len(those):
            raise ValueError(f"{these} has {len(these)} characters, {those} has {len(those)}")
        pairs.update({this: that for this, that in zip(these, those, strict=True) if this != that})
    return pairs


HOMOGLYPHS = _pairs()
