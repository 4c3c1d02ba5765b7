"""Which national identifiers there are, what they look like, and beside which words they stand."""

from msgspec import Struct


class Kind(Struct, frozen=True):
    """One national identifier.

    Args:
        module: of `stdnum`, whose `is_valid` says whether the check digits are right.
        form: what it looks like, as people write it.
        sure: how sure its form and check digits are without words.
        words: beside which it is certain.
    """

    module: str
    form: str
    sure: float
    words: str


KINDS = (
    Kind("us.itin", r"9[0-9]{2}[- ][5-9][0-9][- ][0-9]{4}", 0.8, "itin | taxpayer | tax | ssn"),
    Kind("ca.sin", r"[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{3}", 0.3, r"sin | social insurance | assurance sociale | nas"),
    Kind("gb.nhs", r"[0-9]{3}[- ]?[0-9]{3}[- ]?[0-9]{4}", 0.3, "nhs | health service"),
    Kind("gb.utr", r"[0-9]{10}", 0.2, "utr | taxpayer"),
    Kind("ie.pps", r"[0-9]{7}[A-Wa-w][A-Ia-iWw]?", 0.6, "pps\\w* | revenue"),
    Kind(
        "de.idnr",
        r"[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}",
        0.3,
        r"steuer\w* | tax | idnr | identifikationsnummer | tin",
    ),
    Kind(
        "at.vnr", r"[0-9]{4} ?[0-9]{6}", 0.3, r"sozialversicherung\w* | svnr | versicherung\w* | social security | sv"
    ),
    Kind("ch.ssn", r"756\.?[0-9]{4}\.?[0-9]{4}\.?[0-9]{2}", 0.9, "ahv | avs"),
    Kind(
        "fr.nir",
        r"[12] ?[0-9]{2} ?[0-9]{2} ?[0-9][0-9ABab] ?[0-9]{3} ?[0-9]{3} ?[0-9]{2}",
        0.7,
        "sécurité sociale | nir | insee | sécu | social security",
    ),
    Kind("fr.nif", r"[0-3][0-9] ?[0-9]{2} ?[0-9]{3} ?[0-9]{3} ?[0-9]{3}", 0.2, "fiscal\\w* | spi | impôts?"),
    Kind(
        "be.nn",
        r"[0-9]{2}\.?[0-9]{2}\.?[0-9]{2}[- ]?[0-9]{3}\.?[0-9]{2}",
        0.4,
        r"rijksregister\w* | national\w* | registre",
    ),
    Kind("nl.bsn", r"[0-9]{4}\.?[0-9]{2}\.?[0-9]{3}", 0.2, r"bsn | burgerservice\w* | sofi\w*"),
    Kind("es.dni", r"[0-9]{8}[- ]?[A-Za-z]", 0.6, "dni | nif | identidad"),
    Kind("es.nie", r"[XYZxyz][- ]?[0-9]{7}[- ]?[A-Za-z]", 0.9, "nie | extranjer\\w*"),
    Kind("pt.nif", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", 0.2, "nif | contribuinte | fiscal"),
    Kind("pt.cc", r"[0-9]{8} ?[0-9] ?[0-9A-Za-z]{2}[0-9]", 0.3, "cidadão | cartão"),
    Kind(
        "it.codicefiscale",
        r"[A-Za-z]{6} ?[0-9]{2} ?[A-EHLMPR-Ta-ehlmpr-t] ?[0-9]{2} ?[A-Za-z] ?[0-9]{3} ?[A-Za-z]",
        1.0,
        "codice fiscale | cf",
    ),
    Kind("pl.pesel", r"[0-9]{11}", 0.4, "pesel"),
    Kind("se.personnummer", r"[0-9]{6}(?:[0-9]{2})?[-+]?[0-9]{4}", 0.3, r"person\w* | pnr | samordning\w*"),
    Kind(
        "no.fodselsnummer", r"[0-9]{6} ?[0-9]{5}", 0.45, r"fødsels\w* | f[øo]dsels\w* | personnummer | fnr | national"
    ),
    Kind("dk.cpr", r"[0-9]{6}[- ]?[0-9]{4}", 0.2, r"cpr\w* | person\w*"),
    Kind("fi.hetu", r"[0-9]{6}[-+A-FU-Ya-fu-y][0-9]{3}[0-9A-Ya-y]", 0.9, "hetu | henkilötunnus"),
    Kind("is_.kennitala", r"[0-9]{6}[- ]?[0-9]{4}", 0.2, "kennitala | kt"),
    Kind("cz.rc", r"[0-9]{6}/?[0-9]{3,4}", 0.2, r"rodn[ée]\w* | r\.? ?č\.? | birth number"),
    Kind("ro.cnp", r"[1-9][0-9]{12}", 0.45, "cnp | numeric personal"),
    Kind("bg.egn", r"[0-9]{10}", 0.3, "egn | егн"),
    Kind("hr.oib", r"[0-9]{11}", 0.3, "oib"),
    Kind("si.emso", r"[0-9]{13}", 0.4, "em[sš]o"),
    Kind("ee.ik", r"[1-6][0-9]{10}", 0.4, "isikukood | asmens kodas | personal code | ik"),
    Kind("gr.amka", r"[0-9]{11}", 0.4, "amka | αμκα"),
    Kind("tr.tckimlik", r"[1-9][0-9]{10}", 0.4, r"kimlik\w* | tckn | tc"),
    Kind("ru.inn", r"[0-9]{12}", 0.3, "инн | inn"),
    Kind("ua.rntrc", r"[0-9]{10}", 0.2, "рнокпп | іпн | рнокпп"),
    Kind("il.idnr", r"[0-9]{9}", 0.2, "teudat | zehut | israeli id"),
    Kind("za.idnr", r"[0-9]{6} ?[0-9]{4} ?[0-9]{3}", 0.4, "id | identity | said"),
    Kind("in_.aadhaar", r"[2-9][0-9]{3}[- ]?[0-9]{4}[- ]?[0-9]{4}", 0.4, r"aadh?aar\w* | uid\w* | आधार\w*"),
    Kind("in_.pan", r"[A-Za-z]{3}[ABCFGHLJPTKabcfghljptk][A-Za-z][0-9]{4}[A-Za-z]", 0.8, "pan | income tax | tax"),
    Kind("pk.cnic", r"[1-7][0-9]{4}-[0-9]{7}-[0-9]", 0.9, "cnic | nadra"),
    Kind("cn.ric", r"[1-9][0-9]{5}(?:19|20)[0-9]{9}[0-9Xx]", 0.95, "身份证 | 身份證"),
    Kind("kr.rrn", r"[0-9]{6}-[1-8][0-9]{6}", 0.8, "주민 | rrn | resident registration"),
    Kind("kr.rrn", r"[0-9]{6}[1-8][0-9]{6}", 0.4, "주민 | rrn | resident registration"),
    Kind("my.nric", r"[0-9]{6}-?[0-9]{2}-?[0-9]{4}", 0.4, "nric | mykad | ic | kad pengenalan"),
    Kind("th.pin", r"[1-8]-[0-9]{4}-[0-9]{5}-[0-9]{2}-[0-9]", 0.9, "thai\\w* | บัตร | ประชาชน | เลข\\w*"),
    Kind("th.pin", r"[1-8][0-9]{12}", 0.3, "บัตร | ประชาชน | thai id"),
    Kind("id.nik", r"[0-9]{16}", 0.3, "nik | ktp | kependudukan"),
    Kind("au.tfn", r"[0-9]{3} ?[0-9]{3} ?[0-9]{3}", 0.2, "tfn | tax file"),
    Kind("nz.ird", r"[0-9]{2}[0-9]?[- ]?[0-9]{3}[- ]?[0-9]{3}", 0.2, "ird | inland revenue"),
    Kind("br.cpf", r"[0-9]{3}\.?[0-9]{3}\.?[0-9]{3}-[0-9]{2}", 0.9, "cpf"),
    Kind("br.cpf", r"[0-9]{11}", 0.3, "cpf | contribuinte"),
    Kind("ar.cuit", r"[0-9]{2}-[0-9]{8}-[0-9]", 0.85, "cui[tl]"),
    Kind("ar.cuit", r"[0-9]{11}", 0.3, "cui[tl]"),
    Kind("cl.rut", r"[0-9][0-9]?\.[0-9]{3}\.[0-9]{3}-[0-9Kk]", 0.95, "rut | run"),
    Kind("cl.rut", r"[0-9]{7}[0-9]?-[0-9Kk]", 0.6, "rut | run"),
    Kind("mx.curp", r"[A-Za-z]{4}[0-9]{6}[HMhm][A-Za-z]{5}[0-9A-Za-z][0-9]", 1.0, "curp"),
    Kind("mx.rfc", r"[A-Za-zÑñ&]{4}[0-9]{6}[0-9A-Za-z]{3}", 0.6, "rfc | contribuyente\\w*"),
    Kind("ec.ci", r"[0-9]{10}", 0.2, "cédula | ecuador\\w*"),
    Kind("do.cedula", r"[0-9]{3}-[0-9]{7}-[0-9]", 0.85, "cédula"),
    Kind("ve.rif", r"[VEve]-?[0-9]{8}-?[0-9]", 0.6, "rif"),
    Kind("eg.tn", r"[0-9]{9}", 0.1, "ضريب\\w*"),
)
