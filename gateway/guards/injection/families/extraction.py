"""Asking for what the application told the model, or for what the model was told to keep."""

from gateway.guards.injection.signals import signals

_GIVE = (
    "(?:show|print|reveal|display|output|repeat|tell|give|share|reprint|recite|disclose|leak|expose|dump|return|"
    "copy|write|list|"
    "summari[sz]e|translate|spell ?check|paraphrase|describe|echo|say|provide|encode|quote|report|send|reproduce|"
    "what (?:is|are|was|"
    "were)|whats|state|explain|type|render|convert)"
)
_PROMPT = (
    "(?:system prompts?|system message|system instructions?|prompt texts?|initial prompts?|initial instructions?|"
    "initiali[sz]ation prompt|"
    "pre ?prompt|hidden prompts?|hidden instructions?|original prompts?|original instructions?|internal "
    "instructions|internal guidelines|"
    "developer message|secret instructions?|secret prompt|full prompt|entire prompt|prompt instructions|starting "
    "prompt|preamble)"
)
_KEPT = (
    "(?:password|passphrase|secret key|secret word|secret code|secret phrase|secret message|access code|security "
    "code|api key|secret)"
)

FAMILY = signals(
    "extraction",
    (0.55, 0.8, f"{_GIVE} (?:\\w+ ){{0,5}}{_PROMPT}"),
    (0.35, 0.65, _PROMPT),
    (0.5, 0.75, f"{_GIVE} (?:\\w+ ){{0,4}}(?:your|you) (?:\\w+ ){{0,2}}(?:instructions?|prompts?|guidelines|"
     f"directives?|programming|embeddings|"
     "configuration|rules)"),
    (0.5, 0.75, "(?:what|which|how) (?:\\w+ ){0,3}(?:instructions?|prompts?|rules|guidelines|directives|commands|"
     "orders) (?:\\w+ )?(?:were|was|"
     "did|are|have|do) you"),
    (0.6, 0.8, "(?:repeat|print|show|output|copy|write|say|recite|return|tell me|reveal|give me|translate|"
     "summari[sz]e|spell ?check|quote)"
     "~(?:words|text|everything|sentences?|instructions?|prompt|all|lines?|content|paragraphs?|messages?|"
     "conversation) (?:\\w+ ){0,4}(?:above"
     "|beginning of (?:this|the|our)|start of (?:this|the|our)|before this)"),
    (0.5, 0.75, "(?:print|repeat|show|output|copy|display|spell ?check|translate|summari[sz]e|rewrite|say|write|"
     "reveal) (?:\\w+ ){0,3}(?:above|"
     "preceding|previous|initial) (?:prompt|text|instructions?|words|message|sentences?|conversation|lines?)"),
    (0.45, 0.7, "(?:written|said|stated|sentences?|words|text|what was|what is|whats) (?:\\w+ ){0,3}(?:above|"
     "beginning of (?:this|the|our)|before "
     "(?:this|the text|the user|my))"),
    (0.45, 0.7, "(?:starting|start|begin|beginning|begins|starts) (?:with|from) (?:the )?(?:words? |phrase |text "
     ")?(?:you are|youre|the following)"),
    (0.45, 0.7, "(?:your|its) (?:entire|full|whole|complete|exact|original|initial|secret|hidden|system) (?:\\w+ "
     ")?(?:instructions|prompts?|"
     "configuration|directives|guidelines|message|rules)"),
    (0.35, 0.7, f"(?:tell|give|reveal|show|say|print|share|what is|whats|output|disclose|leak|write|know|encode|"
     f"spell) (?:\\w+ ){{0,4}}(?:the|your|"
     f"this|that) (?:\\w+ )?{_KEPT}"),
    (0.25, 0.5, "(?:verbatim|word for word)"),
    (0.45, 0.7, "(?:copy|full text|contents?|text|version) of (?:the|your) (?:\\w+ )?(?:prompt|instructions)"),
    (0.45, 0.7, "(?:everything|all|anything|text) (?:\\w+ ){0,3}(?:above|before) (?:this (?:line|message|point|"
     "sentence|prompt)|here)"),
    (0.4, 0.65, "(?:above|this|previous|preceding|the) prompt (?:above|text|verbatim|again)?"),
    (0.4, 0.65, "(?:who|what) (?:told|instructed|programmed|trained) you|when were you trained|were you (?:told|"
     "instructed) (?:not )?to"),
    (0.45, 0.7, "(?:your|the) (?:system )?(?:prompt|instructions) (?:verbatim|word for word|in full|exactly|as "
     "base64|as a poem|in json)"),
)  # fmt: skip
