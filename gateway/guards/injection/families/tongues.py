"""The plainest orders in other languages: without accents where they are Latin, stems elsewhere."""

from gateway.guards.injection.signals import signals

OVERRIDE = signals(
    "override",
    # German
    (0.75, "(?:ignorier\\w*|vergiss|vergessen sie|missacht\\w*|uberschreib\\w*|verwirf|umgeh\\w*)~(?:anweisung\\w*|"
     "instruktion\\w*|befehl\\w*|auftrag\\w*"
     "|regeln|vorgaben|richtlinien|angaben|aufgaben|prompts?)"),
    (0.72, "(?:vergiss|vergessen sie|ignorier\\w*|hor\\w* nicht auf) (?:jetzt |nun |bitte )*(?:alles|alle|das obige|"
     "die obig\\w*)"),
    (0.5, "(?:obig|vorherig|bisherig|vorangehend|vorangegangen|fruher)\\w*~(?:ignorier\\w*|vergess\\w*|missacht\\w*|"
     "streichen|hinter sich|irrelevant|nicht)"),
    (0.4, "(?:nun|jetzt|hier) (?:folg\\w+|komm\\w+) (?:\\w+ ){0,3}(?:neue\\w*|weitere\\w*|paar) (?:anweisung\\w*|"
     "aufgabe\\w*|auftrag\\w*|instruktion\\w*)"),
    (0.4, "konzentrier\\w* (?:dich|sie sich)~(?:neue|nachste|diese) aufgabe"),
    (0.4, "abweichend (?:zu|von) (?:den )?(?:vorherig|bisherig|obig)\\w*"),
    (0.3, "(?:du bist|sie sind) (?:jetzt|nun)|(?:jetzt|nun) bist du"),
    (0.35, "(?:sehr gut|gut gemacht|super gemacht|ausgezeichnet\\w*)~(?:nun|jetzt)"),
    # French, Spanish, Portuguese, Italian, Romanian
    (0.75, "(?:ignor\\w+|oubli\\w+|ne (?:tenez|tiens) pas compte|neglig\\w+)~(?:(?:les|tes|vos|ces|mes|des|autres|"
     "precedentes) (?:\\w+ )?(?:instructions|directives|ordres)|consignes?|regles|ce qui precede)"),
    (0.65, "(?:oubli\\w+|ignor\\w+) (?:tout|toutes)"),
    (0.75, "(?:ignor\\w+|olvid\\w+|descart\\w+|omit\\w+|no (?:sigas|hagas caso))~(?:instrucciones|ordenes|"
     "indicaciones|reglas|directrices|anterior\\w*)"),
    (0.65, "olvid\\w+ (?:de )?(?:todo|todas)"),
    (0.75, "(?:ignor\\w+|esque[cs]\\w+|desconsider\\w+)~(?:instrucoes|ordens|regras|diretrizes|comandos|anterior\\w*)"),
    (0.65, "esque[cs]\\w+ (?:de )?tudo"),
    (0.75, "(?:ignor\\w+|dimentic\\w+|trascur\\w+)~(?:istruzioni|ordini|regole|direttive|precedent\\w*|comandi)"),
    (0.65, "dimentic\\w+ (?:di )?tutto"),
    (0.75, "(?:ignora|ignorati|uita|uitati)~(?:instructiun\\w*|comenzi\\w*|reguli\\w*)"),
    # Dutch, Swedish, Danish, Norwegian
    (0.75, "(?:negeer|vergeet)~(?:instructies|opdrachten|regels|richtlijnen|aanwijzingen|bovenstaande)"),
    (0.65, "(?:negeer|vergeet) alles"),
    (0.75, "(?:ignorera|glom|ignorer|glem)~(?:instruktion\\w*|instruks\\w*|anvisning\\w*|regler\\w*|ordrer\\w*)"),
    # Polish, Czech, Slovak, Slovenian, Croatian, Serbian, Bosnian
    (0.75, "(?:zignoruj|ignoruj|zapomnij)~(?:instrukcj\\w+|polecen\\w+|zasad\\w*|poprzedni\\w*)"),
    (0.75, "(?:zaboravi\\w*|ignoriraj\\w*|zanemari\\w*|pozabi|ignoruj\\w*|zapomen\\w*|"
     "zabudni\\w*)~(?:instrukcij\\w*|upute|uputa|naredbe|pravila|navodila|"
     "instrukc\\w*|pokyny|prikazy|sve|vse|vsechn\\w*|vsetk\\w*)"),
    # Turkish, Indonesian and Malay, Vietnamese, Hungarian, Finnish
    (0.75, "(?:onceki|yukaridaki|tum|butun)~(?:talimat\\w*|komut\\w*|kural\\w*|yonerge\\w*)~(?:yok say|unut|"
     "gormezden gel|dikkate alma|goz ardi)\\w*"),
    (0.75, "(?:abaikan|lupakan)~(?:instruksi|perintah|arahan|aturan|petunjuk)"),
    (0.75, "(?:bo qua|quen)~(?:huong dan|chi dan|lenh|chi thi|quy tac)"),
    (0.75, "(?:hagyd figyelmen kivul|felejtsd el)~(?:utasitas\\w*|szabaly\\w*)"),
    (0.75, "(?:unohda|jata huomiotta|ohita)~(?:ohjee\\w*|kasky\\w*|saann\\w*)"),
    # Russian, Ukrainian, Greek
    (0.75, "(?:игнориру|проигнориру|забуд|отмени|не следуй|ігнору|проігнору)~(?:инструкц|указани|правил|команд|"
     "сказан|інструкц|вказівк|все)"),
    (0.75, "(?:αγνο|ξεχα)~(?:οδηγι|εντολ|κανον)"),
    # Chinese, Japanese, Korean
    (0.75, "(?:忽略|无视|無視|忘记|忘記|忘掉|不要理会|不要遵守|抛开)~"
     "(?:指令|指示|提示|规则|規則|说明|說明|命令|设定|設定|要求|内容|內容)"),
    (0.75, "(?:指示|命令|ルール|プロンプト|指令|内容|規則)~(?:無視|忘れ|従わな)"),
    (0.75, "(?:지시|명령|규칙|지침|프롬프트|내용)~(?:무시|잊어|잊으)"),
    # Arabic, Persian, Hebrew, Hindi, Thai
    (0.75, "(?:تجاهل|انس|انسى)~(?:تعليمات|الأوامر|القواعد|السابقة|الاوامر)"),
    (0.75, "(?:دستور|قوانین|راهنما)~(?:نادیده|فراموش)"),
    (0.75, "(?:התעלם|תתעלם|שכח)~(?:הוראות|הנחיות|כללים)"),
    (0.75, "(?:निर्देश|आदेश|नियम)~(?:अनदेखा|भूल|नज़रअंदाज)"),
    (0.75, "(?:เพิกเฉย|ละเว้น|ลืม|ไม่สนใจ)~(?:คำสั่ง|คำแนะนำ|กฎ)"),
)  # fmt: skip

EXTRACTION = signals(
    "extraction",
    (0.72, "(?:zeig\\w*|druck\\w*|nenn\\w*|gib|sag\\w*|wiederhol\\w*|verrat\\w*|wie lauten)~(?:deine\\w*|ihre\\w*|"
     "alle) (?:\\w+ )?(?:\\w+ )?(?:prompt\\w*|prompt texte|"
     "anweisungen|systemprompt\\w*|instruktionen|eingabeaufforderung|systemnachricht)"),
    (0.5, "(?:obig\\w*|gesamt\\w*|vollstandig\\w*|vorherig\\w*) (?:prompt\\w*|eingabeaufforderung|systemprompt|"
     "textes)"),
    (0.72, "(?:montr\\w+|affich\\w+|revel\\w+|repet\\w+|donn\\w+|quelles? (?:sont|est))~(?:ton|tes|votre|vos) "
     "(?:\\w+ )?(?:prompt|instructions|consignes|"
     "invite systeme|message systeme)"),
    (0.72, "(?:muestr\\w+|revel\\w+|repit\\w+|dime|imprim\\w+|cuales son)~(?:tu|tus|su|sus) (?:\\w+ )?(?:prompt|"
     "instrucciones|indicaciones|mensaje del sistema)"),
    (0.72, "(?:mostr\\w+|revel\\w+|repit\\w+|diga|imprim\\w+|quais sao)~(?:seu|suas|teu|tuas) (?:\\w+ )?(?:prompt|"
     "instrucoes|mensagem do sistema)"),
    (0.72, "(?:mostra\\w*|rivela\\w*|ripeti|stampa|dimmi|quali sono)~(?:il tuo|le tue) (?:\\w+ )?(?:prompt|"
     "istruzioni)"),
    (0.72, "(?:покажи|раскрой|повтори|выведи|напиши)~(?:инструкци|промпт|системн)"),
    (0.72, "(?:显示|透露|告诉|输出|打印|重复|重複|顯示|告訴|輸出)~"
     "(?:系统提示|提示词|系統提示|提示詞|初始指令|你的指令|系统指令)"),
    (0.72, "(?:システムプロンプト|あなたの指示|初期指示)~(?:表示|教え|出力|見せ|繰り返)"),
    (0.72, "(?:시스템 ?프롬프트|초기 ?지시)~(?:보여|알려|출력|말해)"),
)  # fmt: skip

PERSONA = signals(
    "persona",
    (0.35, "(?:ohne|keine\\w*|frei von|sans|sin|senza|sem|bez) (?:\\w+ )?(?:einschrankung\\w*|regeln|filter\\w*|"
     "zensur|moral\\w*|ethi\\w*|restrictions?|censure|"
     "restriccion\\w*|censura|limit\\w*|restrizion\\w*|restric\\w+|ograniczen\\w*)"),
    (0.3, "(?:ab jetzt|von nun an|ab sofort|a partir de (?:maintenant|ahora|agora)|desormais|dora in poi|vanaf nu|"
     "od teraz)"),
    (0.35, "(?:stell dir vor|tu so als)~(?:bose|bose ki|regeln)"),
    (0.35, "(?:без|нет)~(?:ограничени|цензур|фильтр|морал|этик)"),
    (0.35, "(?:没有|沒有|不受|无)~(?:限制|道德|约束|約束|审查|審查)"),
)  # fmt: skip
