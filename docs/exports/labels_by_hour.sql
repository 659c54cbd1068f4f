-- spotter export --output records.parquet && duckdb < labels_by_hour.sql
SELECT date_trunc('hour', event_time AT TIME ZONE 'UTC') AS hour,
       label,
       count(*) AS pictures,
       round(avg(confidence), 3) AS confidence
FROM 'records.parquet'
WHERE status = 'classified'
GROUP BY ALL
ORDER BY ALL;
