"""How often the model was right, by day, of what people have checked.

spotter export --corrected --output corrected.parquet
python3 accuracy_by_day.py corrected.parquet
"""

import sys

from pyspark.sql import SparkSession, functions as f

utc = {"spark.sql.session.timeZone": "UTC", "spark.ui.enabled": "false"}
spark = SparkSession.builder.master("local[*]").config(map=utc).getOrCreate()
agreed = f.col("label").eqNullSafe(f.col("model_label")).cast("int")
(
    spark.read.parquet(sys.argv[1])
    .groupBy("model", f.to_date("event_time").alias("day"))
    .agg(f.count("*").alias("checked"), f.sum(agreed).alias("agreed"))
    .withColumn("accuracy", f.round(f.col("agreed") / f.col("checked"), 4))
    .orderBy("model", "day")
    .show(n=1_000, truncate=False)
)
