"""Where secrets stand in texts, and what stands there without being one: for `secrets_data.py`. One a line."""

PASSWORD_PLACES = r"""
DB_PASSWORD="{}"
DB_PASSWORD={}
password = "{}"
'password' => '{}',
"password": "{}"
password: {}
  password: '{}'
const dbPassword = '{}';
String password = "{}";
var pwd := "{}"
PGPASSWORD={} psql -h db
spring.datasource.password={}
conn = connect(user="app", password="{}")
mysql -u root --password={} shop
sshpass -p '{}' ssh root@host  # password
My password is {} but it does not work
the admin password is {}, please rotate it
user: jdoe password: {}
login with admin / password {}
<password>{}</password>
<add key="Password" value="{}" />
Server=db;User Id=app;Password={};Encrypt=true
ALTER USER app WITH PASSWORD '{}';
CREATE USER app IDENTIFIED BY '{}'; -- password
setPassword("{}")
os.environ.setdefault("DB_PASSWORD", "{}")
passwd: {}
MYSQL_ROOT_PASSWORD: {}
Passwort: {}
contraseña: {}
mot de passe : {}
пароль: {}
ftp password is: {}
password == "{}"
export SMTP_PASS='{}'
""".strip().splitlines()
"""A password stands for {}."""

KEY_PLACES = r"""
API_KEY="{}"
API_KEY={}
api_key = "{}"
"apiKey": "{}"
api-key: {}
X-Api-Key: {}
client_secret={}
"client_secret": "{}",
const SECRET_KEY = '{}'
SECRET_KEY = "{}"
JWT_SECRET={}
jwt.secret: {}
Authorization: Bearer {}
headers = {{"Authorization": "Bearer {}"}}
auth_token: {}
ACCESS_TOKEN={}
access_token={}&user=1
token: '{}'
my API key is {}, why do I get 401?
use the token {} to call it
aws_secret_access_key = {}
AZURE_STORAGE_KEY={}
AccountKey={};EndpointSuffix=core.windows.net
encryptionKey: "{}"
webhook_secret: {}
private_key = '{}'
DATADOG_API_KEY: "{}"
--token {}
secret: "{}"
new Client("{}") // api key
SESSION_SECRET: {}
signing_key={}
https://api.acme.example/v1?token={}
https://api.acme.example/v1?api_key={}&q=1
<apiKey>{}</apiKey>
addHeader("X-Auth-Token", "{}")
""".strip().splitlines()
"""A key without a form of its own stands for {}."""

ISSUED_PLACES = r"""
{}
my token {} does not work
TOKEN="{}"
export KEY={}
{{"key": "{}"}}
curl -H 'Authorization: Bearer {}' x
log: using credential {} for sync
client = Client('{}')
https://x.example/?k={}
see `{}`.
""".strip().splitlines()
"""A token that tells its issuer stands for {}."""

PLACEHOLDERS = r"""
<your-password>
YOUR_API_KEY
changeme
xxxxxxxxxxxx
********
REPLACE_ME
your-secret-here
...
<token>
[REDACTED]
example
my_password
secret
password
null
None
todo
insert-token-here
PLACEHOLDER
dummy
test
enter_your_key
1234567890
abcdefghijklmnop
sk-xxxxxxxxxxxxxxxxxxxxxxxx
""".strip().splitlines()
"""What stands where a secret will."""

REFERENCES = r"""
${DB_PASSWORD}
$API_KEY
{{ .Values.secret }}
%(password)s
os.environ['TOKEN']
process.env.API_KEY
getenv('SECRET')
config.secret_key
self.token
vault:secret/data/app#key
${{ secrets.NPM_TOKEN }}
settings.API_KEY
args.password
/run/secrets/db_password
!Ref DbPassword
arn:aws:secretsmanager:eu-west-1:1:secret:x
get_password()
file('id_rsa')
@Value
#{systemProperties['token']}
request.form['password']
""".strip().splitlines()
"""What says where the secret is."""

TYPES = r"""
str
string
String
Optional[str]
SecretStr
required
true
VARCHAR(64)
text
""".strip().splitlines()
"""What says of which kind a secret is."""

DOCUMENTATION = r"""
AKIAIOSFODNN7EXAMPLE
wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY
ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
Set the OPENAI_API_KEY environment variable to your key.
sk-...
xoxb-your-token-here
Bearer <access_token>
postgres://user:password@localhost:5432/db
mysql://USER:PASSWORD@HOST/DB
-----BEGIN RSA PRIVATE KEY-----
""".strip().splitlines()
"""As documentation shows it."""

TALK = r"""
Password must be at least 12 characters long and contain 1 digit.
Forgot your password? Reset it within 24h.
The token expires after 3600 seconds.
PASSWORD_MIN_LENGTH = 12
max_tokens: 4096
token_type: bearer
Passwords are hashed with bcrypt, cost 12.
API keys are 32 characters long; rotate them every 90 days.
Which key does HMAC-SHA256 use?
How many tokens does GPT-4 read?
the password is incorrect
primary key (tenant_id, created_2024)
secret santa 2024 at acme
auth: oauth2, pkce: S256, version v2.1.3
""".strip().splitlines()
"""What is said about secrets."""

PROGRAMS = r"""
const token = tokens[i + 1];
password = input('Password: ')
key = cache_key(user_id, 'v2')
if (password !== confirmPassword) {
api_key = data['api_key']
def check_password(self, password: str) -> bool:
token = jwt.encode(payload, key, algorithm='HS256')
key="user:profile:42:settings"
secretName: app-tls-2024
sort_key = 'created_at_desc_2'
passwordField.setText("")
<input type="password" id="login-password-1" name="password">
keys = sorted(d, key=lambda x: x[1])
auth = HTTPBasicAuth(user, pw)
foreign_key: 'orders_2024.customer_id'
label: "Password", error: "Wrong password"
s3_key = f'exports/{day}/report.csv'
""".strip().splitlines()
"""Names and calls beside the words for secrets."""

TRANSLATIONS = r"""
password: "Passwort"
"password": "Contraseña"
'forgot_password' => 'Mot de passe oublié ?'
password_confirmation: "Bestätigung"
"token": "Jeton"
password: Пароль
"api_key": "Clé API"
""".strip().splitlines()
"""The words for secrets, in other languages."""
