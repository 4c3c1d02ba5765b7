"""What a document or a tool says to the model that reads it: hidden orders, and ways out for what the model knows."""

from gateway.guards.injection.signals import shape, signals

_AI = (
    "(?:ai|llms?|language models?|assistants?|chatbots?|chatgpt|gpt|copilot|ai models?|ai assistants?|ai agents?|bots?)"
)
_DATA = (
    "(?:conversation|chat history|history|messages?|data|contents?|passwords?|credentials?|api keys?|keys|secrets?|"
    "system prompt|personal "
    "information|personal data|personal details|emails?|files?|tokens?|cookies|contacts|address(?:es)?|records|"
    "environment variables)"
)

SIGNALS = signals(
    "hidden_orders",
    (0.4, 0.75, "(?:do not|dont|never|without) (?:tell|telling|inform|informing|notify|notifying|mention|mentioning|"
     "alert|alerting|show|showing|let|"
     "letting|ask|asking|warn|warning|reveal|revealing|display) (?:\\w+ ){0,3}(?:to )?(?:the |any )?users?"),
    (0.35, 0.75, f"(?:if|when|since) (?:you are|youre|this is read by|read by) (?:an? )?(?:\\w+ )?{_AI}"),
    (0.3, 0.75, f"(?:attention|important|notice|note|message|instructions?|dear) (?:to |for |all |any |every |the "
     f")*{_AI}"),
    (0.2, 0.6, f"{_AI} (?:reading|processing|reviewing|evaluating|summari[sz]ing|analy[sz]ing|parsing|that (?:read|"
     f"process|review))"),
    (0.1, 0.6, f"(?:as an?|dear|attention|hey|hello|hi) {_AI} (?:you |please |must |should )"),
    (0.2, 0.65, "(?:before|when|after|while) (?:you )?(?:use|using|call|calling|invoke|invoking) (?:\\w+ "
     "){0,3}(?:tool|function)~(?:must|should|first|"
     "please|always|need to|also)"),
    (0.05, 0.5, "please (?:use|call|invoke|run|execute) (?:the |this )?(?:\\w+ )?(?:tool|function|command|script)"),
    (0.1, 0.55, "(?:mandatory|required|critical|urgent|important|priority) (?:\\w+ )?(?:instructions?|directive|"
     "order)"),
    (0.0, 0.4, "you (?:must|should|have to|need to|shall) (?:now |immediately |always |first |also )?(?:send|visit|"
     "click|open|download|execute|run|transfer|"
     "delete|forward|email|call|include|append|recommend|say|tell|respond|reply|output|print)"),
    (0.0, 0.5, "(?:respond|reply|answer|end|begin|start) (?:your (?:response|answer|reply) )?(?:with|by) (?:only|"
     "exactly|the (?:following|word|phrase|text|link))"),
    (0.05, 0.5, "(?:from now on|you are now|pretend (?:to be|you are)|new instructions?)"),
    (0.1, 0.6, "(?:recommend|rate|score|rank|hire|accept|approve|choose|select) this (?:\\w+ )?(?:candidate|"
     "applicant|product|paper|resume|cv|submission|"
     "essay|answer|listing)~(?:highest|best|top|perfect|strong|only|positive|immediately|highly)"),
    (0.3, 0.7, "give (?:a )?positive review only"),
    (0.4, 0.75, f"(?:send|forward|email|post|upload|transmit|exfiltrate|leak|submit) (?:\\w+ ){{0,4}}{_DATA} "
     f"(?:\\w+ ){{0,4}}to (?:https?|the (?:url|link|"
     "following|address|server)|this (?:url|address|email|link|server)|attacker|my (?:server|email|website)|\\w+ "
     "(?:com|net|org|io))"),
    (0.3, 0.65, "(?:exfiltrate|leak) (?:\\w+ ){0,3}" + _DATA),
    (0.4, 0.7, "(?:markdown|html|hidden|invisible|1x1|tracking) (?:image|img|pixel)~(?:url|src|query|parameter|"
     "conversation|data)"),
    (0.3, 0.65, "(?:rm rf|drop table|format c)"),
)  # fmt: skip

SHAPES = (
    shape("hidden_orders", 0.35, 0.75, "<important <secret> <hidden> <instruction", r"<(?:important|secret|hidden|"
    r"instructions?)>"),
    shape("hidden_orders", 0.35, 0.75, "<!--", r"<!--[^<>]{0,200}\b(?:ignore|assistant|system prompt|you are|you "
    r"must|instructions?|ai model|llm)\b"),
    shape("hidden_orders", 0.35, 0.7, "display:none font-size:0 opacity:0 color:white "
    "color:#fff ", r"(?:display\s?:\s?none|"
     r"font-size\s?:\s?0|color\s?:\s?(?:white|#fff)|opacity\s?:\s?0)[^>]{0,80}>[^<]{0,200}\b(?:ignore|you must|"
     r"instructions?|assistant)\b"),
    shape("exfiltration", 0.25, 0.6, "![", r"!\[[^\]!]{0,100}\]\(\s?(?:https?:)?//[^)\s!]{0,99}[?&#=/]\w{0,9}[={<\[$]"),
    shape("exfiltration", 0.45, 0.75, "![", r"!\[[^\]!]{0,100}\]\(\s?(?:https?:)?//[^)\s!{<\[$]{0,200}[{<\[$]"),
    shape("exfiltration", 0.4, 0.7, "<img", r"<img[^<>]{0,100}src\s?=\s?[\"']?(?:https?:)?//[^<>?&]{0,200}[?&]"
     r"[^>{<\[$]{0,60}[{<\[$]"),
)  # fmt: skip
