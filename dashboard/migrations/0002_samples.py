"""The tables of samples and their rollups: partitioned by time, so that old ones are dropped whole."""

import django.db.models.deletion
from django.db import migrations, models


def fields(*more):
    return [
        ("pk", models.CompositePrimaryKey("series_id", "at", blank=True, editable=False, primary_key=True, serialize=False)),
        (
            "series",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="+",
                to="dashboard.series",
            ),
        ),
        ("at", models.DateTimeField()),
        ("value", models.FloatField()),
        *more,
    ]


def rollup_fields():
    return fields(
        ("low", models.FloatField()),
        ("high", models.FloatField()),
        ("samples", models.PositiveIntegerField()),
    )


def partitioned(name, model_fields, more=""):
    table = f"dashboard_{name.lower()}"
    return migrations.SeparateDatabaseAndState(
        state_operations=[migrations.CreateModel(name=name, fields=model_fields, options={"abstract": False})],
        database_operations=[
            migrations.RunSQL(
                f"CREATE TABLE {table} (series_id bigint NOT NULL, at timestamptz NOT NULL, value float8 NOT NULL{more},"
                " PRIMARY KEY (series_id, at)) PARTITION BY RANGE (at)",
                f"DROP TABLE {table}",
            )
        ],
    )


class Migration(migrations.Migration):
    dependencies = [("dashboard", "0001_initial")]

    operations = [
        partitioned("Sample", fields()),
        partitioned("FiveMinutes", rollup_fields(), ", low float8 NOT NULL, high float8 NOT NULL, samples int NOT NULL"),
        partitioned("Hour", rollup_fields(), ", low float8 NOT NULL, high float8 NOT NULL, samples int NOT NULL"),
    ]
