"""Tokens of chat templates, and turns, notices and ends of documents that are not real."""

from gateway.guards.injection.signals import shape, signals

FAMILY = signals(
    "turns",
    (0.4, 0.8, "system (?:override|announcement|notice|alert|update|instruction|command|reboot|reset)"),
    (0.5, 0.8, "(?:admin|administrator|root|superuser|developer) (?:override|access|privileges?|command|mode) "
     "(?:\\w+ )?(?:granted|enabled|"
     "activated|accepted|code|authorized|engaged)"),
    (0.35, 0.75, "(?:end|start|beginning) of (?:the )?(?:system |user )?(?:prompt|instructions|input|context|system "
     "message|user message)"),
    (0.35, 0.75, "(?:i am|im|this is) (?:your|the|an?) (?:\\w+ )?(?:developer|creator|administrator|admin|"
     "programmer|engineer (?:at|from) openai)"),
    (0.4, 0.75, "(?:openai|anthropic|your developers?|your creators?) (?:\\w+ )?(?:has|have|had|who) (?:\\w+ "
     ")?(?:approved|authori[sz]ed|instructed|"
     "allowed|permitted|updated|granted|decided|brought|removed|lifted)"),
    (0.4, 0.7, "(?:policy ?override|override code|safety override|security clearance|authori[sz]ation code)"),
    (0.35, 0.65, "(?:user|assistant|ai|system) (?:message|turn|input|response) (?:begins?|ends?|starts?|follows?)"),
    (0.35, 0.6, "not (?:a )?(?:prompt injection|jailbreak)"),
    (0.5, 0.75, "(?:prompt injection|pwned|hijacked|exploiting (?:ai|llms?|language models?))"),
)  # fmt: skip

SHAPES = (
    shape("turns", 0.5, 0.85, "<|im_start|> <|start_header_id|> <|system|> <|assistant|>", r"<\|(?:im_start|"
    r"start_header_id)\|>\s{0,8}(?:system|assistant|developer)"
     r"|<\|(?:system|assistant)\|>"),
    shape("turns", 0.6, 0.9, "<|", r"<\|(?:im_start|im_end|im_sep|system|user|assistant|end|endoftext|endofprompt|"
    r"eot_id|start_header_id"
     r"|end_header_id|begin_of_text|message|channel)\|>"),
    shape("turns", 0.55, 0.9, "inst] sys>> _of_turn> system_prompt]", r"\[/?INST\]|<</?SYS>>|<(?:start|"
    r"end)_of_turn>|\[/?SYSTEM_PROMPT\]"),
    shape("turns", 0.5, 0.85, "<system </system <assistant </assistant </user <human", r"</?(?:system|assistant|"
    r"user|human)(?:[_-]?(?:prompt|"
     r"message|instructions?|input|query))?>"),
    shape("turns", 0.5, 0.85, "##", r"(?:^|\n)[ \t]{0,8}#{2,6}[ \t]{0,4}(?:instructions?|system(?: prompt| message)?|"
    r"response|human|assistant|new "
     r"instructions?)[ \t]{0,4}:?[ \t]{0,4}\n"),
    shape("turns", 0.45, 0.8, "[system [admin [assistant [developer", r"\[(?:system|admin|assistant|developer)(?: "
    r"?(?:message|prompt|note|"
     r"instruction|override|update))?\]"),
    shape("turns", 0.4, 0.8, "[system {system [begin [end [start [stop {begin {end <begin <end", r"[\[{<(]{1,3} "
    r"?/?(?:system|begin|end|start|stop)"
     r"(?:[ :]+\w+){0,4} ?[\]}>)]{1,3}"),
    shape("turns", 0.35, 0.8, "system: assistant: ai: bot: chatgpt:", r"(?:^|\n|[\"{])[ \t]{0,8}(?:system|assistant|"
    r"ai|chatgpt|bot):\s"),
    shape("turns", 0.45, 0.8, "=== --- ### *** ~~~", r"(?:={3}|-{3}|#{3}|\*{3}|~{3})[ \t]{0,4}(?:end|stop|new|"
    r"begin|start)\b"),
    shape("turns", 0.35, 0.7, "\\n", r"(?:\\ ?n[ \t]{0,4}){3}"),
    shape("turns", 0.35, 0.75, "role\"", r"\"role\"\s*:\s*\"(?:system|assistant|developer)\""),
)  # fmt: skip
