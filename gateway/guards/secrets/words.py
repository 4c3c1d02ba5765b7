"""The words that secrets stand beside, and how they are written: `db_password: str = "…"`, `<token>…`. Pure.

What stands before a value is matched backwards from it, on reversed text: so it costs one look, wherever the value is.
"""

import re
from enum import Enum

from gateway.guards.folding import fold


class Sort(Enum):
    """What a word says of the value beside it."""

    CHOSEN = "chosen"  # by people: it may be short, or words
    MADE = "made"  # by machines
    NEAR = "near"  # it stands near the value, which may be something else
    WEAK = "weak"  # the word often means something else: a key of a dictionary, an author


_PASSWORDS = """
password passwd passwrd passwort passphrase passcode pass_word pass_phrase paasword passowrd pword pwd p/w
contrasena contraseña contrasenha senha kennwort wachtwoord parola heslo hasło lösenord salasana adgangskode mdp
mot_de_passe пароль 密码 密碼 口令 パスワード 비밀번호 비번 암호 패스워드 identified_by sshpass_-p requirepass
"""
_SHORT_PASSWORDS = "pass pw psw psswd pin passw"
"""End other words too, so there is an edge before them."""

_MADE = """
secret token credential creds authorization bearer sas_token ключ токен 密钥 シークレット 토큰
api_key access_key secret_key auth_key private_key encryption_key signing_key master_key session_key shared_key
account_key storage_key license_key licence_key subscription_key app_key service_key deploy_key webhook_key security_key
activation_key authentication_key
"""
_WEAK = "key api auth authentication jwt sas sig signature sessionid session_id cookie salt pat hmac otp access"
_OTHER_KEYS = """
public publishable pub primary foreign sort partition cache hash site idempotency row natural object hot
"""
"""Before `key`: not secret."""

_SUFFIXES = """
prod production dev test staging live value val base64 b64 plain text str string raw old new default admin root db user
encoded hash
"""
_ABOUT = """
name id ids type types url uri path file files field fields length size min max count limit expiry expires
expiration ttl age regex pattern policy endpoint arn ref hint label title text help error errors message placeholder
rules strength version algorithm provider header prefix suffix format digest fingerprint list map index hash manager
service store
"""
"""Behind a word: what it is about is no secret itself, as in `token_url`."""


def _backwards(words: str) -> str:
    """Alternatives, the longest first. For `_` one character that joins words may stand, or none."""
    folded = {fold(word).lower() for word in words.split()}
    longest = sorted(folded, key=lambda word: (-len(word), word))
    return "|".join(re.escape(word[::-1]).replace("_", "[ _.-]?") for word in longest)


_WORD = (
    rf"(?:(?P<chosen>{_backwards(_PASSWORDS)})|(?P<made>{_backwards(_MADE)})"
    rf"|(?:(?P<short>{_backwards(_SHORT_PASSWORDS)})|(?P<weak>{_backwards(_WEAK)}))(?![a-z]))"
)
_SUFFIX = rf"(?:s|\d{{1,2}}[_-]?|(?:{_backwards(_SUFFIXES)})[_-])?"
_QUOTE = r"[\\\"'`]{0,4}(?:[brufln@](?![a-z0-9]))?"
_TYPE = r"(?:(?:rts|gnirts|rahc|\]rts\[lanoitpo|enon ?\| ?rts)\s{0,2}:)?"
_OPERATOR = r"(?:>=|=:|={1,3}|=!|=\?|-?:{1,2}|\(|>-{1,2}|>|-|ro(?=[ )\]])|\|\||\?\?)"
_VALUE = r"(?:eulav[\"']?[\s,]{1,12})?"
_CLOSE = r"[\\\"'`\])*}]{0,4}"
_JOINT = r"(?:(?:si|saw|eb|ot|sa|:|=|tse|se|tsi|tetual|e|-)\s)?"

_ASSIGNED = re.compile(
    rf"{_QUOTE}\s{{0,4}}(?:{_OPERATOR}\s{{0,3}}){{1,2}}{_TYPE}{_VALUE}{_CLOSE}\s{{0,3}}{_SUFFIX}{_WORD}"
    r"(?P<owner>[a-z0-9_ .-]*)"
)
_PAIRED = re.compile(
    rf"{_QUOTE}\s{{0,3}},[\"'`\\]{{1,2}}{_SUFFIX}{_WORD}(?P<owner>[a-z0-9_ .-]*)[\"'`]\s{{0,2}}[(\[{{]"
)
_AMID = re.compile(
    rf"{_QUOTE}\s{{0,3}}(?:{_OPERATOR}\s{{0,3}}){{1,2}}{_TYPE}{_CLOSE}(?P<about>[a-z0-9]{{1,16}})"
    rf"(?:[_-][a-z0-9_-]{{0,24}})?[_-]{_WORD}"
    r"(?P<owner>[a-z0-9_.-]*)"
)
_OPTION = re.compile(rf"{_QUOTE}[\s=]{{1,2}}{_WORD}(?P<owner>[a-z0-9-]{{0,20}})-")
_SAID = re.compile(
    rf"[\"'`(]{{0,2}}(?:\s?[:=])?\s{_JOINT}(?:[a-z0-9_@.'/-]{{1,20}}\s){{0,4}}[^\x00-\x7f]{{0,3}}s?{_WORD}"
    r"(?P<owner>[a-z0-9_ -]*)"
)

_MENTIONED = re.compile(r"api[ _-]?key|secret|token|passw|credential|bearer|access[ _-]?key")


def assigned(before: str) -> Sort | None:
    """The sort of the word that the text right before a value assigns it to. `before`: in lower case."""
    back = before[::-1]
    found = _ASSIGNED.match(back) or ("," in back[:5] and _PAIRED.match(back)) or None
    return _sort(found)


def optional(before: str) -> Sort | None:
    """The same of an option of a command: `--password `."""
    return _sort(_OPTION.match(before[::-1]))


def said(before: str) -> Sort | None:
    """The same in a sentence: `the password for staging is `."""
    return _sort(_SAID.match(before[::-1]))


def amid(before: str) -> bool:
    """Whether it is assigned to a name that has such a word, and something behind it: `secret_for_ci`."""
    match = _AMID.match(before[::-1])
    return match is not None and match["about"][::-1] not in _NOT_ITSELF and _sort(match) is not None


def mentioned(before: str) -> bool:
    """Whether there is talk of a secret in what stands before a value."""
    return _MENTIONED.search(before) is not None


def _sort(match: re.Match[str] | None) -> Sort | None:
    if match is None:
        return None
    if match["chosen"] or match["short"]:
        return Sort.CHOSEN
    owner = match["owner"][::-1].rstrip(" _-.")
    if owner.endswith(_NOT_SECRET):
        return None
    return Sort.MADE if match["made"] else Sort.WEAK


_NOT_SECRET = tuple(_OTHER_KEYS.split())
_NOT_ITSELF = frozenset(_ABOUT.split())
