"""Each kind of identifier is found as people write it, whole, and what only looks like one is left alone."""

import pytest

from gateway.guards.base import Action, Guarding, Terms
from gateway.guards.personal_data import GUARD, rules
from tests.unit.gateway.guards.personal_cast import found

FOUND = [
    ("card", "CARD", "4111111111111111"),
    ("card in groups", "CARD", "4111 1111 1111 1111"),
    ("card with hyphens", "CARD", "5500-0000-0000-0004"),
    ("card of 15", "CARD", "3782 822463 10005"),
    ("card of 14", "CARD", "30569309025904"),
    ("card of 13", "CARD", "4222222222222"),
    ("card of 19", "CARD", "4000000000000000006"),
    ("card digit by digit", "CARD", "4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1"),
    ("German IBAN", "IBAN", "DE89370400440532013000"),
    ("British IBAN in groups", "IBAN", "GB82 WEST 1234 5698 7654 32"),
    ("Norwegian IBAN", "IBAN", "NO9386011117947"),
    ("IBAN in lower case", "IBAN", "gb82west12345698765432"),
    ("mail", "EMAIL", "ada@example.com"),
    ("mail with a tag", "EMAIL", "ada.lovelace+list@mail.example.co.uk"),
    ("mail beyond ASCII", "EMAIL", "zoë@münchen.example"),
    ("mail of a long host", "EMAIL", "ada@students.informatik.universitaet-umbrella.example"),
    ("disguised mail", "EMAIL", "ada [at] example [dot] com"),
    ("spelt mail", "EMAIL", "ada at example dot com"),
    ("American phone", "PHONE", "(202) 555-0143"),
    ("American phone with extension", "PHONE", "202-555-0143 ext. 12"),
    ("international phone", "PHONE", "+49 30 901820"),
    ("international phone with trunk", "PHONE", "+44 (0)20 7946 0958"),
    ("phone with 00", "PHONE", "0033 6 12 34 56 78"),
    ("French phone", "PHONE", "06 12 34 56 78"),
    ("social security number", "US_SSN", "219-09-9998"),
    ("IPv4", "IP_ADDRESS", "192.0.2.77"),
    ("IPv6", "IP_ADDRESS", "2001:db8::8a2e:370:7334"),
    ("link-local IPv6", "IP_ADDRESS", "fe80::1"),
    ("URL with a password", "URL_CREDENTIALS", "postgres://ada:" + "s3cr3t99" + "@db.example.com:5432/app"),
    ("base58 address", "CRYPTO_ADDRESS", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"),
    ("bech32 address", "CRYPTO_ADDRESS", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"),
    ("Ethereum address", "CRYPTO_ADDRESS", "0x52908400098527886E0F7030069857D2E4169EE7"),
    ("Italian tax code", "NATIONAL_ID", "RSSMRA85T10A562S"),
    ("Brazilian CPF", "NATIONAL_ID", "390.533.447-05"),
    ("Swiss AHV number", "NATIONAL_ID", "756.9217.0769.85"),
    ("Spanish DNI", "NATIONAL_ID", "54362315K"),
    ("Mexican CURP", "NATIONAL_ID", "BOXW310820HNERXN09"),
]

BESIDE = [
    ("card of a range that others share", "CARD", "my card is ", "6799990100000000019"),
    ("German phone", "PHONE", "Ruf mich an: ", "9018 2000"),
    ("Danish phone", "PHONE", "tlf. ", "32123456"),
    ("short phone", "PHONE", "call me at ", "555 0143"),
    ("social security number without hyphens", "US_SSN", "SSN: ", "219099998"),
    ("Dutch BSN", "NATIONAL_ID", "Mijn BSN is ", "111222333"),
    ("Polish PESEL", "NATIONAL_ID", "PESEL ", "44051401359"),
    ("German tax number", "NATIONAL_ID", "Steuer-ID: ", "36574261809"),
    ("British NHS number", "NATIONAL_ID", "NHS number ", "943 476 5870"),
    ("Greek AMKA", "NATIONAL_ID", "ΑΜΚΑ ", "01013099997"),
    ("date of birth", "DATE_OF_BIRTH", "She was born on ", "12 March 1985"),
    ("American date of birth", "DATE_OF_BIRTH", "DOB: ", "3/12/1985"),
    ("German date of birth", "DATE_OF_BIRTH", "geboren am ", "12.03.1985"),
    ("French date of birth", "DATE_OF_BIRTH", "née le ", "3 février 1980"),
    ("Japanese date of birth", "DATE_OF_BIRTH", "生年月日: ", "1985年3月12日"),
    ("month first", "DATE_OF_BIRTH", "date of birth ", "March 12, 1985"),
    ("passport", "PASSPORT", "Passport number: ", "X1234567"),
    ("German passport", "PASSPORT", "Reisepass Nr. ", "C01X00T47"),
    ("driving licence", "DRIVER_LICENSE", "My driver's license number is ", "LH329609T"),
    ("French driving licence", "DRIVER_LICENSE", "permis de conduire n° ", "880392310123"),
    ("Monero address", "CRYPTO_ADDRESS", "my monero wallet ", "4" + "A" + "b1" * 46 + "c"),
]

NOTHING = [
    ("wrong check digit", "4111111111111112"),
    ("no brand", "1234567812345670"),
    ("a row of numbers", "4111 1111 1111 1111 2222 3333"),
    ("a fraction", "4.564834622169732"),
    ("a card's check digit in an identifier", "id a4111111111111111"),
    ("wrong IBAN", "DE89370400440532013001"),
    ("no country", "XX89370400440532013000"),
    ("picture at a scale", "logo@2x.png"),
    ("repository", "git@example.com:acme/app.git"),
    ("decorator", "@app.route('/v1')"),
    ("package", "left-pad@1.3.0"),
    ("time of day", "at 10:20:30 on 2024-03-05"),
    ("path of a program", "std::vector<a::b>"),
    ("version", "version 10.20.30.41"),
    ("loopback", "127.0.0.1"),
    ("mask", "255.255.255.0"),
    ("never given out", "000-12-3456"),
    ("years", "from 1990-1995 to 2001-2004"),
    ("book", "ISBN 978-3-16-148410-0"),
    ("amount", "1,234,567.89 €"),
    ("time stamps", "1700000000 1700000000000 1700000000000000"),
    ("date of nothing", "The meeting is on 12 March 2025."),
    ("BSN without its word", "111222333"),
    ("passport without its word", "X1234567"),
    ("wrong base58", "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3"),
    ("digest", "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709"),
    ("example password", "postgres://user:password@host/db"),
    ("order", "Order 4111111111111111 has shipped"),
    ("UUID", "8208144e-6497-4997-9419-267589370462"),
]


@pytest.mark.parametrize(("rule", "value"), [row[1:] for row in FOUND], ids=[row[0] for row in FOUND])
def test_it_is_found_as_it_is(rule: str, value: str) -> None:
    assert found(value) == [(rule, value)]
    assert found(f"Please note ({value}), thanks.") == [(rule, value)]


@pytest.mark.parametrize(("rule", "word", "value"), [row[1:] for row in BESIDE], ids=[row[0] for row in BESIDE])
def test_it_is_found_beside_its_word_only(rule: str, word: str, value: str) -> None:
    assert (rule, value) in found(word + value + ".")
    assert rule not in [name for name, _ in found("It says " + value + ".")]


@pytest.mark.parametrize("text", [row[1] for row in NOTHING], ids=[row[0] for row in NOTHING])
def test_what_only_looks_like_one_is_left_alone(text: str) -> None:
    assert found(text) == []


def test_a_card_is_found_behind_other_numbers_and_before_them() -> None:
    assert found("2 of 12 4111 1111 1111 1111 12/27") == [("CARD", "4111 1111 1111 1111")]


def test_an_urls_password_goes_with_all_of_the_url() -> None:
    url = "https://ada:" + "hunter2hunter2" + "@git.example.com/acme/app.git"
    assert found(f"clone {url} now") == [("URL_CREDENTIALS", url)]


def test_what_a_word_says_otherwise_counts_less() -> None:
    assert found("died on 12.03.1985, born 1950") == []
    assert found("phone 25.62.29.72") == [("PHONE", "25.62.29.72")]
    assert found("server address 25.62.29.72") == [("IP_ADDRESS", "25.62.29.72")]


def test_a_policy_names_the_rules_that_count() -> None:
    terms = Terms(guard="personal_data", action=Action.LOG, rules=frozenset({"CARD", "EMAIL"}))
    assert {rule.name for rule in rules(Guarding(policy_id=1, terms=(terms,)), terms)} == {"CARD", "EMAIL"}


def test_every_name_has_rules() -> None:
    terms = Terms(guard="personal_data", action=Action.LOG)
    assert {rule.name for rule in rules(Guarding(policy_id=1, terms=(terms,)), terms)} == set(GUARD.rule_names)


@pytest.mark.parametrize(
    ("before", "number"),
    [
        ("паспорт номер ", "1234567890"),
        ("ПАСПОРТ ", "123456789"),
        ("Паспорт ", "123456789"),
        ("διαβατήριο της ", "AB123456"),
        ("ΔΙΑΒΑΤΗΡΙΟ ", "AB123456"),
        ("PASSEPORT ", "123456789"),
        ("passport " + "№" * 20 + " ", "123456789"),
    ],
)
def test_words_of_other_scripts_count_in_any_case(before: str, number: str) -> None:
    assert ("PASSPORT", number) in found(before + number)
