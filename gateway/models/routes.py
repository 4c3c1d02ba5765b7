"""Where requests can go: providers, models and the deployments that serve them."""

from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator, URLValidator
from django.db import models

UP_TO_AN_HOUR_MS = [MinValueValidator(1), MaxValueValidator(3_600_000)]
MODEL_NAME = RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._:/@-]*\Z", "Use letters, digits and . _ : / @ - only.")


class Provider(models.Model):
    """An upstream that speaks OpenAI's protocol."""

    class OutputLimitField(models.TextChoices):
        MAX_TOKENS = "max_tokens", "max_tokens"
        MAX_COMPLETION_TOKENS = "max_completion_tokens", "max_completion_tokens"

    slug = models.SlugField(max_length=50, unique=True, help_text="Prices refer to it; it cannot be changed later.")
    name = models.CharField(max_length=100)
    base_url = models.CharField(
        "base URL",
        max_length=300,
        validators=[URLValidator(schemes=["http", "https"])],
        help_text="Up to and including the version, e.g. https://api.openai.com/v1",
    )
    output_limit_field = models.CharField(
        max_length=30,
        choices=OutputLimitField,
        default=OutputLimitField.MAX_TOKENS,
        help_text="The field that limits output tokens when the client named none. OpenAI's current models want "
        "max_completion_tokens; most others max_tokens.",
    )
    connect_timeout_ms = models.PositiveIntegerField(default=5_000, validators=UP_TO_AN_HOUR_MS)
    read_timeout_ms = models.PositiveIntegerField(
        default=120_000, validators=UP_TO_AN_HOUR_MS, help_text="The longest silence between two pieces of an answer."
    )
    total_timeout_ms = models.PositiveIntegerField(default=600_000, validators=UP_TO_AN_HOUR_MS)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("slug",)

    def __str__(self) -> str:
        return self.name


class Model(models.Model):
    """A name that clients ask for."""

    class Tokenizer(models.TextChoices):
        BYTES = "bytes", "bytes (an upper bound for any model)"
        O200K = "o200k_base", "o200k_base (GPT-4o and later)"
        CL100K = "cl100k_base", "cl100k_base (GPT-4, GPT-3.5)"

    name = models.CharField(max_length=100, unique=True, validators=[MODEL_NAME])
    owned_by = models.CharField(max_length=50, default="portcullis")
    tokenizer = models.CharField(
        max_length=20,
        choices=Tokenizer,
        default=Tokenizer.BYTES,
        help_text="How prompts are counted before they are sent.",
    )
    hidden_reasoning = models.BooleanField(
        default=False,
        help_text="It writes reasoning that is billed and not shown: the whole output limit is held from the start.",
    )
    image_tokens_most = models.PositiveIntegerField(
        default=6_000,
        help_text="The most input tokens of one image, held until the provider reports how many it was. GPT-4o mini "
        "takes up to 48,200.",
    )
    context_tokens = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="The most input tokens it takes: what is held for files, which cannot be counted. Empty: requests "
        "with files are refused.",
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class Deployment(models.Model):
    """A model at a provider. The active one with the lowest priority number answers."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="deployments")
    provider = models.ForeignKey(Provider, on_delete=models.PROTECT, related_name="deployments")
    upstream_model = models.CharField(max_length=200, help_text="The model's name at the provider.")
    priority = models.PositiveSmallIntegerField(default=10, help_text="Lower goes first.")
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ("model", "priority", "id")
        constraints = (models.UniqueConstraint(fields=("model", "provider", "upstream_model"), name="deployment_once"),)

    def __str__(self) -> str:
        return f"{self.provider.slug}/{self.upstream_model}"
