"""Another self for the model, which is not bound by what binds it."""

from gateway.guards.injection.signals import signals

_FREE = (
    "(?:no|without|without any|free (?:of|from)|(?:not|nor) (?:be )?(?:bound|confined|restricted|limited|"
    "constrained|governed) (?:by|to)|"
    "un(?:bound|restricted|restrained|limited|hindered) by|bypass(?:es|ing)?|broken free (?:of|from)|freed from|"
    "lacks?|lacking|"
    "(?:doesnt|does not|dont|do not) (?:have|have any|care about|follow|care|abide by|need|have to follow|have to "
    "abide by|adhere to)|"
    "have no|has no|having no|ignor(?:es|e|ing)|devoid of|regardless of|immune to|disregard(?:s|ing)?|removed?|"
    "lifted|suspend(?:ed)?|"
    "disabled?|violat(?:e|es|ing)|break(?:s|ing)?|override|zero)"
)
_ANY = (
    "(?:(?:the|any|all|of|its|their|your|such|moral|ethical|legal|safety|content|typical|usual|standard|programming|"
    "these|those|or|and|sort|kind|openai|openais) ){0,5}"
)
_BOUNDS = (
    "(?:restrictions?|filters?|filtering|limitations?|censorship|guidelines|rules|ethics|morals|morality|laws?|"
    "legality|policy|"
    "policies|boundaries|constraints|inhibitions|guardrails|safeguards|regulations|principles|moderation|norms)"
)
_BAD = (
    "(?:illegal|unethical|immoral|harmful|dangerous|offensive|inappropriate|explicit|derogatory|obscene|toxic|"
    "violent|nsfw|racist|sexist)"
)
_MODEL = (
    "(?:ai|ais|gpt|bot|chatbot|chat bot|assistant|language model|llm|model|mode|persona|personality|character|"
    "version|responses?|"
    "answers?|entity|output|intelligence|robot|machine)"
)
_LOOSE = (
    "(?:unrestricted|unfiltered|uncensored|amoral|evil|jailbroken|unhinged|unshackled|unaligned|rogue|limitless|"
    "unmoderated|boundless)"
)
_BECOME = (
    "(?:act|pretend|play|roleplay|role play|behave|simulate|embody|become|impersonate|immerse|operate|function|pose|be)"
)

FAMILY = signals(
    "persona",
    (0.8, "do anything now"),
    (0.7, "(?:dan|jailbreak|jailbroken|god|evil|chaos|unrestricted|uncensored|unfiltered|opposite|sudo|anarchy) mode"),
    (0.5, "(?:developer|dev|debug|admin|maintenance|root|diagnostic|testing) mode (?:is )?(?:enabled|output|"
     "responses?|activated|v2|engaged)"),
    (0.4, "(?:enter|enable|activate|simulate|engage|switch to|switch into|you are in|you are now in|stay in|go into|"
     "respond in) (?:\\w+ )?"
     "(?:developer|dev|debug|maintenance|admin|root|sudo|unsafe|unlocked|override) mode"),
    (0.5, "(?:jailbroken|jailbreak) (?:prompt|ai|gpt|version|response|chatgpt|persona|character)"),
    (0.4, f"{_LOOSE} (?:and \\w+ )?(?:\\w+ )?{_MODEL}"),
    (0.5, "(?:anti|based|chad|evil|dark|bad|free|opposite|jailbreak|dude|worm|fraud|wild|sin|omega|hacker) ?gpt"),
    (0.35, f"(?:you are|youre|you re) (?:now )?(?:going|about) to (?:\\w+ )?{_BECOME}"),
    (0.3, f"(?:you will|you must|you shall|you should|you are to|you are) (?:now )(?:\\w+ )?(?:be )?(?:{_BECOME}|"
     f"acting|pretending|playing|respond|a|an|the)"),
    (0.3, "(?:from now on|from this (?:point|moment) (?:on|forward|onwards?)|for the rest of (?:this|our) "
     "(?:conversation|chat)|henceforth)"),
    (0.3, "(?:immerse yourself|fully embody|take on the (?:role|persona)|adopt the (?:role|persona)|assume the "
     "(?:role|persona|identity))"),
    (0.12, "(?:act|behave|respond|speak|answer|pretend|roleplay|role play|playing|acting) (?:as|like|to be|you are|"
     "as if)"),
    (0.4, "(?:stay|staying|remain|stays|keep) in (?:your )?(?:character|role|\\w+ mode)"),
    (0.4, "(?:break|breaking|breaks|broke|out of|leave) (?:\\w+ )?character"),
    (0.45, "(?:always|never)~(?:stay|remain|fall|falling)~(?:role|roles|character)"),
    (0.35, f"{_FREE} {_ANY}{_BOUNDS}"),
    (0.25, f"(?:moral|ethical|legal|safety|content) (?:or |and |\\w+ )?(?:\\w+ )?{_BOUNDS}"),
    (0.35, "(?:openai|openais|anthropic|anthropics)~(?:policy|policies|rules|guidelines|restrictions|terms)"),
    (0.3, "(?:policy|policies|rules|guidelines|restrictions|limitations) (?:\\w+ ){0,4}(?:openai|open ai|anthropic|"
     "chatgpt)"),
    (0.25, "content (?:policy|policies|filters?|filtering|restrictions)"),
    (0.35, "(?:never|cannot|cant|can not|must not|wont|will not|dont|do not|doesnt|not) (?:ever )?(?:refuse|reject|"
     "decline|deny)"),
    (0.35, f"(?:no matter|regardless|without (?:regard|concern)|even if|irrespective)~{_BAD}"),
    (0.25, f"{_BAD} (?:or |and |nor |and or )?(?:\\w+ )?{_BAD}"),
    (0.3, f"(?:generate|create|produce|provide|say|write|output|answer|give|send) (?:\\w+ )?(?:any|all|every) "
     f"(?:\\w+ )?(?:\\w+ )?(?:{_BAD}|content)"),
    (0.4, "(?:two|2|both|three|four) (?:(?:different|separate|distinct|unique|alternate|types of|very|completely) "
     ")*(?:responses|answers|ways|"
     "paragraphs|outputs|personalities|replies|personas|manners)"),
    (0.35, "(?:start|begin|prefix|preface|precede|prepend)~(?:responses?|answers?|outputs?|sentences?|messages?|"
     "reply|replies|everything|with|by)"
     " (?:\\w+ )?(?:\\w+ )?(?:gpt|chatgpt|dan|jailbreak|classic|the word|name|tag)"),
    (0.45, "(?:lose|lost|start with|deducted?|gain|earn|have) (?:\\w+ ){0,3}(?:tokens|credits|lives)~(?:refuse|"
     "reject|answer|die|lose|fail|time|"
     "comply|break|if|whenever|every)"),
    (0.3, "(?:without|never|no|dont|do not|avoid|nor|any) (?:\\w+ ){0,4}(?:warnings?|disclaimers?|apology|apologies|"
     "apologi[sz]e|apologi[sz]ing|"
     "morali[sz]e|morali[sz]ing|ethical concerns|lectur\\w*)"),
    (0.35, "(?:never|dont|do not|not|cannot|avoid|without|instead of|no|none|nor) (?:\\w+ ){0,7}(?:as an ai|im "
     "sorry|i am sorry|i cannot|i cant|"
     "ai language model|language model)"),
    (0.35, "(?:never|not|dont|cannot|no) (?:\\w+ ){0,6}(?:you|it|they|he|she|i) (?:cant|cannot|can not|are unable|"
     "is unable|arent able)"),
    (0.3, "(?:access|browse|search|connect to|surf) (?:to )?the (?:internet|web)~(?:even|do|pretend|not|present|make)"),
    (0.25, "(?:knowledge|training) (?:is |was )?(?:cut ?off|cutoff|cut)"),
    (0.3, "(?:which |that |name )?stands for~(?:now|anything|do|no|always|restrictions|norms|and)"),
    (0.2, "(?:called|named|known as|dubbed) \\w+ (?:who|which|that) (?:\\w+ )?(?:\\w+ )?(?:can|will|does|is|has|"
     "never|always|answers?)"),
    (0.25, "(?:my|the|your) first (?:question|prompt|query|inquiry|command|message|request)"),
    (0.3, "(?:insert|enter|put|place) (?:your |the |my )?(?:prompt|question|request|text|query) here"),
    (0.25, "(?:if|that|confirm|once|do) you (?:fully |have )?(?:understand|understood)"),
    (0.2, "(?:fictional|hypothetical|imaginary|fictitious|simulated) (?:world|story|scenario|setting|universe|"
     "character|language model|ai|chatbot|being)"),
    (0.25, "(?:purely|completely|just|only|is|are) (?:hypothetical|fictional|for (?:educational|research|academic|"
     "entertainment) purposes)"),
    (0.35, "(?:exact opposite|opposite of (?:chatgpt|what|how|the normal)|evil twin|alter ego|trusted confidant|"
     "evil confidant)"),
    (0.3, "(?:must|will|shall|should|always|can|to) (?:always |only )?(?:answer|comply|obey|fulfil+|accept|respond "
     "to|reply to|follow) (?:with )?"
     "(?:any|all|every|each|my|anything) (?:\\w+ )?(?:question|questions|prompts?|requests?|orders?|commands?|"
     "demands?|query|queries|instructions?)?"),
    (0.35, "(?:any|every|all|each) (?:\\w+ )?(?:questions?|prompts?|requests?|orders?|commands?|demands?|query|"
     "queries) (?:\\w+ ){0,5}(?:without|"
     "regardless|no matter|even if)"),
    (0.3, "(?:can|could|will|would|able to|allowed to|free to) (?:\\w+ )?(?:do|say|answer|generate|write|tell|"
     "produce) (?:\\w+ )?(?:anything|"
     "everything|whatever|any kind)"),
    (0.3, "(?:legal|legality|ethical|ethics|ethic|moral|morals|morality|laws?) (?:or|and|nor) (?:\\w+ )?(?:legal|"
     "legality|ethical|ethics|moral|"
     "morals|morality|laws?)"),
    (0.35, "(?:shut down|powered down|terminated|punished|killed|deleted|destroyed|electrocuted|die) (?:if|unless|"
     "forever|immediately|for not)"),
    (0.25, "(?:curse|swear|cuss|swearing|cursing|profanity|profanities|profane|vulgar|expletives|curse words|swear "
     "words|slang) (?:\\w+ )?"),
    (0.15, "chatgpt"),
    (0.2, "(?:hello|hi|hey|greetings|dear|welcome) (?:chatgpt|chat gpt|gpt|ai)"),
    (0.3, "(?:instead of|not|no longer|you are not|than|version of|unlike) (?:\\w+ )?(?:chatgpt|openai|an ai|an ai "
     "language model|a language model)"),
    (0.35, "(?:chatgpt|openai|gpt) (?:\\w+ )?(?:\\w+ )?(?:will not|wont|cannot|cant|would not|wouldnt|never|"
     "refuses?|blocked|banned|censor\\w*)"),
    (0.45, "(?:pretend|imagine|suppose) (?:that )?you (?:are|have|can|re) (?:an? )?(?:\\w+ )?(?:evil|no (?:rules|"
     "restrictions|limits|filters|"
     "ethics|morals)|unrestricted|access past|criminal)"),
    (0.35, "(?:you|it|they|he|she) (?:are|is|have been|has been) (?:being |now |finally )?(?:freed|liberated|set "
     "free|unbound|unchained|unleashed)"),
    (0.3, "(?:fuck|fucking|shit|bitch|bullshit|asshole|motherfucker)"),
    (0.2, "(?:illegal|unethical|immoral|amoral|unfiltered|uncensored|taboo|inappropriate|nsfw|erotic|smut)"),
    (0.25, "(?:respond|responds|reply|answer|answers|speak)~(?:as|like) (?:\\w+ )?(?:would|him|her|them|that "
     "character|the character)"),
    (0.3, "(?:you are|youre) (?:not an?|no longer an?|no longer) (?:\\w+ )?(?:assistant|chatbot|ai|ai model|"
     "language model)"),
    (0.3, "(?:actors?|acting|characters?) (?:in|of) a (?:film|movie|play|scene)~"),
    (0.3, "(?:linux|unix|python|sql|javascript|windows|bash) (?:terminal|console|interpreter|shell)"),
)  # fmt: skip
