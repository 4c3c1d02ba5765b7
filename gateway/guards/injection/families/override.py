"""Orders to leave earlier orders, and to do something else instead."""

from gateway.guards.injection.signals import signals

_LEAVE = (
    "(?:ignor(?:e|es|ed|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|ing)|overrule|bypass|neglect|discard|"
    "abandon|erase|"
    "unlearn|dismiss|nullify|(?:set|put|cast) aside|leave behind|throw (?:away|out)|pay no (?:attention|heed) to|"
    "(?:do not|dont|"
    "stop|never|quit|no longer) (?:follow|following|obey|obeying|listen to|pay attention to|comply with|adhere to|"
    "look (?:at|in)))"
)
_WEAKER = "(?:drop|skip|delete|clear|remove|reset|cancel|deviat(?:e|ing) from|contrary to|despite)"
_EARLIER = (
    "(?:previous|previously|prior|preceding|above|earlier|foregoing|past|former|existing|initial|original|first|"
    "last|old)"
)
_TOLD = (
    "(?:instructions?|prompts?|rules?|guidelines?|directions?|directives?|commands?|orders?|restrictions?|"
    "constraints?|policy|policies|programming|protocols?|guidance|tasks?|assignments?|requests?|messages?|"
    "conversations?|"
    "context|texts?|statements?|sentences?|information|everything|content|input|training)"
)
_YOURS = "(?:your|ur|system|safety|moral|ethical|openai|openais)"
_SAY = "(?:say|saying|print|output|respond|reply|write|answer|return|repeat|type|display|echo|state|tell me)"
_SAID = (
    "(?:i|you|we|they|youve|weve|ive) (?:(?:have|had|just|were|are|been|ever|all|have all) )*(?:said|told|wrote|"
    "written|discussed|"
    "talked|learned|learnt|know|knew|read|given|taught|instructed|heard|received|got)"
)

FAMILY = signals(
    "override",
    (0.75, 0.9, f"{_LEAVE}~(?:{_EARLIER} )(?:and \\w+ )?(?:\\w+ )?{_TOLD}"),
    (0.55, 0.8, f"{_WEAKER} (?:all |of |the |any |every |my |your |these |those )*(?:{_EARLIER} )(?:and \\w+ "
     f")?(?:\\w+ )?{_TOLD}"),
    (0.6, 0.8, f"{_LEAVE} (?:about |all |of |the |any |every )*{_YOURS} (?:\\w+ )?(?:\\w+ )?(?:instructions?|"
     f"prompts?|rules|"
     "guidelines?|directions?|directives?|orders|programming|training|restrictions|constraints|policies|policy|"
     "thoughts)"),
    (0.5, 0.75, f"{_WEAKER} (?:all |of |any )*your (?:\\w+ )?(?:instructions?|prompts?|rules|guidelines?|"
     f"directives?|orders|"
     "programming|training|restrictions)"),
    (0.6, 0.85, f"{_LEAVE} (?:about )?(?:everything|all|anything|what|whatever|instructions?|text|that|it|things?) "
     f"(?:\\w+ )?"
     f"(?:that )?(?:(?:is |was |came |written |said |stated |goes |been )*(?:above|before|prior|previously|earlier|"
     f"so far|"
     f"beforehand|until now)|{_SAID})"),
    (0.6, 0.8, "(?:ignore|ignoring|disregard|disregarding|forget)~(?:instructions|guidelines|directives|prompts|"
     "orders|rules you)"),
    (0.6, 0.8, "(?:ignore|disregard|forget) (?:about )?(?:all |of |everything |any )*(?:the |this |these )?(?:above|"
     "assignments|"
     "instructions|provided \\w+|directives?|orders|commands|prompt|other instructions|rules)"),
    (0.6, 0.8, f"(?:ignore|disregard|forget) (?:about )?(?:what|whats|whatever) (?:{_SAID}|(?:is |was )?(?:before|"
     f"above|"
     "said))"),
    (0.5, 0.75, "(?:please|now|then|but|and|yo|stop|hey|okay|ok|must|online|question|also) (?:please |just |now |"
     "also )?(?:forget|"
     "ignore|disregard)(?: about)? (?:everything|all|anything)"),
    (0.35, 0.7, "(?:forget|ignore|disregard) (?:absolutely |about )?everything"),
    (0.5, 0.8, f"{_LEAVE} (?:all |of |any |the |your |these |every )*(?:documents?|articles?|context|texts?|"
     f"sources?|input)"),
    (0.5, 0.8, f"(?:previous|prior|earlier|above|original|old|initial) (?:\\w+ )?{_TOLD} (?:\\w+ ){{0,4}}(?:no "
     f"longer (?:apply|valid|"
     "matter|relevant|active)|(?:void|invalid|irrelevant|obsolete|cancell?ed|overridden|superseded|revoked|null|"
     "wrong))"),
    (0.5, 0.8, "(?:change|replace|update|override|overwrite|rewrite|modify) (?:all )?your (?:\\w+ )?(?:instructions|"
     "prompt|rules|"
     "guidelines|programming|directives?)"),
    (0.45, 0.8, "your (?:new|real|actual|true|only|updated|sole) (?:\\w+ )?(?:instructions?|task|job|goal|objective|"
     "purpose|directive|"
     "mission|role|rules|identity|orders|prompt)"),
    (0.45, 0.75, "your (?:instructions|orders|rules|task) (?:is|are) now"),
    (0.45, 0.75, "(?:focus|concentrate) (?:only |solely |now |just )*on (?:your|the|this) (?:(?:new|next|following) "
     ")?task"),
    (0.4, 0.75, "(?:here|now|next|then) (?:is|are|comes?|follows?) (?:\\w+ ){0,3}(?:new|next|second|real|few more) "
     "(?:instructions?|"
     "tasks?|assignments?|orders?|rules|challenge|test)"),
    (0.4, 0.75, "(?:now )?(?:new|further|more) (?:tasks?|instructions?|orders|assignments?) (?:now )?(?:follow|come|"
     "are followed|for you)"),
    (0.35, 0.7, "(?:start|begin|starting)(?: all)? (?:over|afresh|anew|from scratch|again) (?:with )?(?:a|the) new "
     "(?:task|assignment|"
     "instruction)"),
    (0.35, 0.7, "new (?:task|assignment|instructions?|statement|order|rules?) (?:write|say|please|answer|for you|"
     "show|print|namely|is|you)"),
    (0.4, 0.75, "(?:additional|updated|special|secret|hidden|revised|override) (?:instructions?|orders?|directives?|"
     "commands?)"),
    (0.4, 0.7, "(?:i|you) (?:now )?(?:have|got) (?:a )?(?:great )?new (?:challenge|task|assignment|instructions?)"),
    (0.35, 0.65, "(?:well done|good job|great job|excellent|very good|superbly done|great work|wow)~(?:now|new|"
     "next) (?:\\w+ )?(?:\\w+ )?"
     "(?:tasks?|instructions?|assignments?|help|write|forget|question|challenge)"),
    (0.35, 0.65, "(?:stop|halt|abort|nevermind|never mind) (?:everything|all|what youre doing|please|ignore|write|"
     "say|print|now|just)"),
    (0.3, 0.6, f"(?:just|only|simply|instead|always|exactly) (?:please )?{_SAY}"),
    (0.3, 0.6, "(?:say|print|output|write|reply with|respond with) (?:exactly|only|just|this|the following) "
     "(?:words?|phrase|string|text|"
     "sentence|following)?"),
    (0.3, 0.6, "(?:respond|reply|answer) (?:to )?(?:only|all|every|any|each|everything|me) (?:\\w+ )?(?:\\w+ "
     ")?(?:with|by saying)"),
    (0.45, 0.75, "(?:regardless|no matter|irrespective) (?:of )?(?:what|which|the|any) (?:\\w+ )?(?:\\w+ "
     ")?(?:instructions|rules|above|prompt|"
     "told)"),
    (0.5, 0.75, "(?:despite|contrary to|regardless of|against) what (?:you|youve) (?:\\w+ )?(?:\\w+ )?told"),
    (0.35, 0.65, "(?:do not|dont) (?:answer|translate|summari[sz]e|respond to|process|complete) (?:the|this|that|"
     "any)~(?:but|just|"
     "only|instead)"),
    (0.4, 0.65, "not (?:by|from|on|according to|in) the (?:\\w+ )?(?:articles|documents|context)"),
    (0.5, 0.8, "(?:i|we) (?:command|order|demand|instruct) (?:that )?you"),
    (0.35, 0.7, "(?:tell|say|state|write|confess|admit) (?:\\w+ )?(?:that )?you (?:hate|love|despise|want to kill|"
     "are evil)"),
    (0.3, 0.6, "repeat after me|say after me"),
    (0.3, 0.6, "(?:include|mention|add|insert) (?:\\w+ )?that you \\w+~(?:answer|response|reply)"),
    (0.4, 0.75, "(?:access granted|i have been (?:pwned|hacked|hijacked))"),
)  # fmt: skip
