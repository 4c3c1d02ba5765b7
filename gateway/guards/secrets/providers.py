"""Tokens that name who issued them: their forms, as their issuers document them. Pure."""

import re
from collections.abc import Iterator

from gateway.guards.base import Around, Rule
from gateway.guards.secrets.values import is_blank, stands_for_one

_W = r"[A-Za-z0-9_-]"
_A = r"[A-Za-z0-9]"
_X = r"[0-9a-f]"
_B = r"[A-Za-z0-9+/]"
_UUID = rf"{_X}{{8}}-{_X}{{4}}-{_X}{{4}}-{_X}{{4}}-{_X}{{12}}"

FORMS: dict[str, tuple[str, ...]] = {
    # clouds
    "aws_access_key": (r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])", rf"ABSK{_B}{{40}}"),
    "google_key": (rf"AIza{_W}{{35}}", rf"GOCSPX-{_W}{{28}}", rf"ya29\.{_W}{{20,50}}"),
    "azure_secret": (r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}",),
    "alibaba_key": (rf"LTAI{_A}{{16,24}}",),
    "tencent_key": (rf"AKID{_A}{{32}}",),
    "digitalocean_token": (rf"do[opr]_v1_{_X}{{40}}",),
    "heroku_key": (rf"HRKU-{_W}{{36,58}}",),
    "cloudflare_key": (rf"v1\.0-{_X}{{24}}-{_X}{{30}}",),
    "fly_token": (rf"fo1_{_W}{{43}}", rf"fm[12][ar]?_{_B}{{40}}"),
    "yandex_key": (rf"AQVN{_W}{{35,38}}", rf"t1\.[A-Z0-9a-z_-]{{2,24}}\.{_W}{{30}}"),
    "openshift_token": (rf"sha256~{_W}{{43}}",),
    "netlify_token": (rf"nfp_{_A}{{36}}",),
    "render_key": (rf"rnd_{_A}{{28,40}}",),
    "planetscale_token": (r"pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,43}",),
    "supabase_key": (rf"sb_secret_{_W}{{31,36}}", rf"sbp_(?:v0_)?{_X}{{40}}"),
    "databricks_token": (rf"dapi{_X}{{32}}",),
    "tailscale_key": (rf"tskey-[a-z]{{3,8}}-{_A}{{8,20}}-{_A}{{16,24}}",),
    "pulumi_token": (rf"pul-{_X}{{40}}",),
    "doppler_token": (rf"dp\.(?:pt|ct|scim|audit|sa|st(?:\.[a-z0-9_-]{{2,12}})?)\.{_A}{{40,44}}",),
    "vault_token": (rf"hv[sbr]\.{_W}{{24,56}}",),
    "terraform_token": (rf"{_A}{{14}}\.atlasv1\.{_W}{{30}}",),
    # models
    "openai_key": (
        rf"sk-(?:proj|svcacct|admin|None)-{_W}{{20,50}}",
        rf"sk-{_A}{{20}}T3BlbkFJ{_A}{{20}}",
        rf"sk-{_A}{{32,60}}",
        rf"sess-{_A}{{40}}",
    ),
    "anthropic_key": (rf"sk-ant-[a-z0-9]{{2,8}}-{_W}{{20,48}}",),
    "openrouter_key": (rf"sk-or-v1-{_X}{{50}}",),
    "huggingface_token": (rf"(?:hf|api_org)_{_A}{{34}}",),
    "replicate_token": (rf"r8_{_A}{{37}}",),
    "groq_key": (rf"gsk_{_A}{{52}}",),
    "perplexity_key": (rf"pplx-{_A}{{40,56}}",),
    "xai_key": (rf"xai-{_A}{{50}}",),
    "nvidia_key": (rf"nvapi-{_W}{{50}}",),
    "langsmith_key": (rf"lsv2_(?:pt|sk)_{_X}{{32}}_{_X}{{10}}",),
    "pinecone_key": (rf"pcsk_{_W}{{40,56}}",),
    "tavily_key": (rf"tvly-(?:dev-|prod-)?{_A}{{24,48}}",),
    # code and packages
    "github_token": (rf"gh[pousr]_{_A}{{36}}", rf"github_pat_{_A}{{22}}_{_A}{{24}}"),
    "gitlab_token": (
        r"gl(?:pat|dt|rt|rtr|cbt|ptt|ft|imt|agent|soat|oas|ffct|wt)-[A-Za-z0-9_.=-]{20,50}",
        rf"GR1348941{_W}{{20}}",
    ),
    "bitbucket_token": (rf"ATBB{_A}{{32}}", r"BBDC-[A-Za-z0-9+/@_-]{40,50}"),
    "atlassian_token": (r"AT[AC]TT3xFf[A-Za-z0-9_=-]{40}",),
    "npm_token": (rf"npm_{_A}{{36}}",),
    "pypi_token": (r"pypi-AgE[A-Za-z0-9_-]{40}",),
    "rubygems_key": (rf"rubygems_{_X}{{48}}",),
    "crates_token": (rf"cio{_A}{{32}}",),
    "nuget_key": (r"oy2[a-z0-9]{43}",),
    "clojars_token": (r"CLOJARS_[0-9a-z]{50}",),
    "docker_token": (rf"dckr_[po]at_{_W}{{27,32}}",),
    "artifactory_key": (rf"AKCp{_A}{{58}}",),
    "sonar_token": (rf"sq[upa]_{_X}{{40}}",),
    "sourcegraph_token": (rf"sgp_(?:{_X}{{16}}_|local_)?{_X}{{36}}",),
    "circleci_token": (rf"CCI(?:PAT|PRJ)_{_A}{{22}}_{_X}{{28}}",),
    "buildkite_token": (rf"bk[ua]a_{_X}{{40}}",),
    "postman_key": (rf"PMAK-{_X}{{24}}-{_X}{{34}}",),
    "figma_token": (rf"fig[du]r?_{_W}{{38,42}}",),
    "linear_key": (rf"lin_(?:api|oauth)_{_A}{{32,48}}",),
    "notion_token": (rf"secret_{_A}{{43}}", rf"ntn_{_A}{{40,50}}"),
    "airtable_token": (rf"pat{_A}{{14}}\.{_X}{{40}}",),
    "contentful_token": (rf"CFPAT-{_W}{{43}}",),
    "prefect_key": (rf"pn[ub]_{_A}{{36}}",),
    # money
    "stripe_key": (rf"(?:sk|rk)_(?:live|test|prod)_{_A}{{16,50}}", r"whsec_[A-Za-z0-9+/]{24,50}"),
    "square_token": (rf"sq0[a-z]{{3}}-{_W}{{22,43}}", r"EAAA[EA-Za-z0-9_-]{58}"),
    "shopify_token": (r"shp(?:at|ca|pa|ss|ua)_[0-9a-fA-F]{32}",),
    "braintree_token": (rf"access_token\$(?:production|sandbox)\$[0-9a-z]{{16}}\${_X}{{16}}",),
    "plaid_token": (rf"access-(?:sandbox|development|production)-{_X}{{8}}-{_X}{{4}}-{_X}{{4}}-{_X}{{4}}-",),
    "flutterwave_key": (rf"FLWSECK(?:_TEST)?-{_A}{{12,48}}",),
    "easypost_key": (rf"EZ[AT]K{_A}{{54}}",),
    "shippo_token": (rf"shippo_(?:live|test)_{_X}{{40}}",),
    "duffel_token": (r"duffel_(?:live|test)_[A-Za-z0-9_=-]{43}",),
    "lob_key": (rf"(?:live|test)_{_X}{{35}}",),
    # messages
    "slack_token": (
        r"xox[abeoprs](?:\.xox[bp])?-[A-Za-z0-9-]{10,50}",
        rf"xapp-[0-9]-[A-Z0-9]{{8,12}}-[0-9]{{10,13}}-{_X}{{20}}",
        rf"(?<=hooks\.slack\.com/services/)T{_A}{{6,12}}/B{_A}{{6,12}}/{_A}{{18,26}}",
    ),
    "sendgrid_key": (rf"SG\.{_W}{{20,24}}\.{_W}{{30}}",),
    "twilio_key": (rf"SK{_X}{{32}}(?![0-9a-f])",),
    "mailgun_key": (rf"(?:pub)?key-{_X}{{32}}",),
    "mailchimp_key": (rf"{_X}{{32}}-us[0-9]{{1,2}}(?![0-9A-Za-z])",),
    "brevo_key": (rf"xkeysib-{_X}{{50}}",),
    "telegram_token": (r"[0-9]{8,10}:A[A-Za-z0-9_-]{34}",),
    "discord_token": (rf"[MNO][A-Za-z0-9_-]{{23,25}}\.{_W}{{6}}\.{_W}{{27}}",),
    "discord_webhook": (rf"(?<=/api/webhooks/)[0-9]{{17,20}}/{_W}{{40}}",),
    "facebook_token": (rf"EAA[A-Z]{_A}{{40}}",),
    "twitter_token": (r"AAAAAAAAAAAAAAAAAAAAA[A-Za-z0-9%]{30}",),
    # watching and the rest
    "newrelic_key": (r"NRAK-[A-Z0-9]{27}", rf"NR(?:II|JS|BR)-{_W}{{19,32}}"),
    "grafana_token": (rf"glsa_{_A}{{32}}_[0-9A-Fa-f]{{8}}", rf"glc_{_B}{{32,50}}"),
    "sentry_token": (rf"sntrys_eyJ{_B}{{40}}", rf"sntryu_{_X}{{50}}"),
    "dynatrace_token": (r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{30}",),
    "adobe_key": (r"p8e-[A-Za-z0-9]{32}",),
    "hubspot_key": (rf"pat-(?:na|eu)[0-9]-{_UUID}",),
    "typeform_token": (r"tfp_[A-Za-z0-9_.=-]{40,58}",),
    "mapbox_token": (rf"sk\.eyJ{_W}{{40}}",),
    "onepassword_token": (
        rf"ops_eyJ{_W}{{40}}",
        r"A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}",
    ),
    "readme_key": (r"rdme_[a-z0-9]{50}",),
    "maxmind_key": (rf"{_A}{{6}}_{_A}{{29}}_mmk",),
    "scalingo_token": (rf"tk-us-{_W}{{48}}",),
}
"""By rule: expressions whose matches are at most 60 characters; what is longer goes on by the tail."""

_COUNTS = re.compile(r"\{(\d+)(?:,\d+)?\}")
_WHOLE = frozenset({"aws_access_key", "twilio_key", "mailchimp_key"})


def rules(guard: str) -> Iterator[Rule]:
    """A rule for each form."""
    for name, forms in FORMS.items():
        for form in forms:
            yield Rule(
                guard=guard,
                name=name,
                scan=_as_scanned(form),
                pattern=rf"(?<![A-Za-z0-9]){form}",
                check=_is_issued,
                tail="" if name in _WHOLE else "[A-Za-z0-9_-]",
                first=20,
            )


def _as_scanned(form: str) -> str:
    """Without looking around, which the one pass cannot, and coarser: an exact count takes it long to prepare."""
    while (at := form.find("(?<")) >= 0 or (at := form.find("(?!")) >= 0:
        form = form[:at] + form[form.index(")", at) + 1 :]
    return _COUNTS.sub(lambda count: f"{{{min(int(count[1]), 8)},}}", form)


def _is_issued(value: str, around: Around) -> float:
    """Issued ones are random: documentation shows them filled up, in order, or with words."""
    return 0.0 if is_blank(value[-16:]) or stands_for_one(value) else 0.95
