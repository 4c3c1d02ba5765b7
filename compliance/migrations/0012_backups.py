"""Backups and restore drills."""

from django.db import migrations, models

ID = ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


class Migration(migrations.Migration):
    dependencies = [("compliance", "0011_siem")]
    operations = [
        migrations.CreateModel(
            name="RestoreDrill",
            fields=[
                ID,
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("passed", "Passed"), ("failed", "Failed")],
                        default="running",
                        max_length=16,
                    ),
                ),
                ("data_label", models.CharField(blank=True, help_text="The backup of the data.", max_length=40)),
                ("keys_label", models.CharField(blank=True, help_text="The backup of the keys.", max_length=40)),
                ("checks", models.JSONField(default=list, help_text="What was checked, in order, and how it ended.")),
                ("problem", models.TextField(blank=True, help_text="Why it failed.")),
                (
                    "rto_s",
                    models.PositiveIntegerField(
                        help_text="Seconds until the restored databases could be opened.", null=True
                    ),
                ),
                (
                    "rpo_s",
                    models.BigIntegerField(
                        help_text="Seconds by which the backup was older than the drill.", null=True
                    ),
                ),
                ("restored_bytes", models.BigIntegerField(default=0)),
                ("started_by", models.CharField(max_length=120)),
                ("started_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={"ordering": ("-id",)},
        ),
        migrations.CreateModel(
            name="BackupRun",
            fields=[
                ID,
                (
                    "label",
                    models.CharField(help_text="Its name: when it began (UTC), and a random end.", max_length=40),
                ),
                ("part", models.CharField(choices=[("data", "Data"), ("keys", "Keys")], max_length=8)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("running", "Running"),
                            ("done", "Good"),
                            ("failed", "Failed"),
                            ("removed", "Removed when due"),
                            ("missing", "Missing"),
                        ],
                        default="running",
                        max_length=16,
                    ),
                ),
                ("place", models.CharField(help_text="The folder or bucket that it lies in.", max_length=500)),
                ("bytes", models.BigIntegerField(default=0, help_text="Encrypted, of all its files.")),
                ("manifest", models.JSONField(help_text="Signed.", null=True)),
                ("error", models.TextField(blank=True)),
                ("canary", models.BinaryField(help_text="Must open after a restore.", null=True)),
                (
                    "erased_canary",
                    models.BinaryField(help_text="Must not, once its key is destroyed.", null=True),
                ),
                ("started_by", models.CharField(max_length=120)),
                ("started_at", models.DateTimeField(auto_now_add=True)),
                ("made_at", models.DateTimeField(help_text="When its snapshot was taken.", null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={
                "ordering": ("-id",),
                "verbose_name": "backup",
                "constraints": [models.UniqueConstraint(fields=("label", "part"), name="backup_part_once")],
            },
        ),
    ]
