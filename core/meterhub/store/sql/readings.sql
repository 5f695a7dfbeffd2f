-- name: readings.touch_slot
-- Note that a quarter hour was written to; one that was rolled up stays so (its late readings are noted as stale).
INSERT INTO slots (slot, state) VALUES (?, 0)
ON CONFLICT (slot) DO UPDATE SET state = 0 WHERE state = 1

-- name: readings.set_slot
-- How far a quarter hour is.
UPDATE slots SET state = ?2 WHERE slot = ?1

-- name: readings.unfolded_slots
-- The quarter hours whose newest readings are not yet in latest, oldest first.
SELECT slot FROM slots WHERE state = 0 ORDER BY slot

-- name: readings.due_slots
-- Quarter hours that ended before :before and are not yet in the daily figures, oldest first.
SELECT slot FROM slots WHERE state = 0 AND slot < :before
UNION ALL
SELECT slot FROM slots WHERE state = 1 AND slot < :before
ORDER BY slot LIMIT :limit

-- name: readings.mark_stale
-- A day of a series must be made again.
INSERT OR IGNORE INTO stale (series, day) VALUES (?, ?)

-- name: readings.put_latest
-- Make a reading the newest of its series, unless a newer one is known.
INSERT INTO latest (series, measured_ms, value, quality) VALUES (?, ?, ?, ?)
ON CONFLICT (series) DO UPDATE
SET measured_ms = excluded.measured_ms, value = excluded.value, quality = excluded.quality
WHERE excluded.measured_ms >= latest.measured_ms

-- name: readings.fold_numbers
-- Take the newest numbers of a quarter hour into latest. With a lone max(), SQLite takes the other columns from its row.
INSERT INTO latest (series, measured_ms, value, quality)
SELECT series, slot * 900000 + max(offset_ms), value, quality FROM readings WHERE slot = :slot GROUP BY series
ON CONFLICT (series) DO UPDATE
SET measured_ms = excluded.measured_ms, value = excluded.value, quality = excluded.quality
WHERE excluded.measured_ms >= latest.measured_ms

-- name: readings.fold_texts
-- Take the newest texts of a quarter hour into latest.
INSERT INTO latest (series, measured_ms, value, quality)
SELECT series, slot * 900000 + max(offset_ms), value, quality FROM texts WHERE slot = :slot GROUP BY series
ON CONFLICT (series) DO UPDATE
SET measured_ms = excluded.measured_ms, value = excluded.value, quality = excluded.quality
WHERE excluded.measured_ms >= latest.measured_ms

-- name: readings.roll_slot
-- Merge the figures of a whole quarter hour into those of its day. Most series have one reading in it, which is all of them.
INSERT INTO days (day, series, first_ms, first, last_ms, last, minimum, maximum, count)
SELECT :day, series,
       :slot * 900000 + low,
       iif(count = 1, minimum, (SELECT value FROM readings AS r
                                WHERE r.slot = :slot AND r.series = part.series AND r.offset_ms = low)),
       :slot * 900000 + high,
       iif(count = 1, minimum, (SELECT value FROM readings AS r
                                WHERE r.slot = :slot AND r.series = part.series AND r.offset_ms = high)),
       minimum, maximum, count
FROM (
    SELECT series, min(offset_ms) AS low, max(offset_ms) AS high,
           min(value) AS minimum, max(value) AS maximum, count(*) AS count
    FROM readings WHERE slot = :slot AND value IS NOT NULL AND quality <> 2 GROUP BY series
) AS part
WHERE true
ON CONFLICT (day, series) DO UPDATE SET
    first = iif(excluded.first_ms < first_ms, excluded.first, first),
    first_ms = min(excluded.first_ms, first_ms),
    last = iif(excluded.last_ms >= last_ms, excluded.last, last),
    last_ms = max(excluded.last_ms, last_ms),
    minimum = min(excluded.minimum, minimum),
    maximum = max(excluded.maximum, maximum),
    count = count + excluded.count

-- name: readings.put_day
-- The figures of one day of one series.
INSERT INTO days (day, series, first_ms, first, last_ms, last, minimum, maximum, count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: readings.latest
-- The newest reading of the next series, by number.
SELECT series, measured_ms, value, quality FROM latest WHERE series > :after ORDER BY series LIMIT :limit

-- name: readings.numbers
-- The numbers of a series in some quarter hours, oldest first: one seek per quarter hour that holds anything.
SELECT r.slot * 900000 + r.offset_ms, r.value, r.quality
FROM slots AS s CROSS JOIN readings AS r ON r.slot = s.slot AND r.series = ?3
WHERE s.slot BETWEEN ?1 AND ?2
ORDER BY s.slot, r.offset_ms LIMIT ?4

-- name: readings.texts
-- The texts of a series in some quarter hours, oldest first.
SELECT r.slot * 900000 + r.offset_ms, r.value, r.quality
FROM slots AS s CROSS JOIN texts AS r ON r.slot = s.slot AND r.series = ?3
WHERE s.slot BETWEEN ?1 AND ?2
ORDER BY s.slot, r.offset_ms LIMIT ?4

-- name: readings.rolled_points
-- The numbers of a series in those quarter hours that are in the daily figures.
SELECT r.slot * 900000 + r.offset_ms, r.value, r.quality
FROM slots AS s CROSS JOIN readings AS r ON r.slot = s.slot AND r.series = ?3
WHERE s.slot BETWEEN ?1 AND ?2 AND s.state = 2
ORDER BY s.slot, r.offset_ms

-- name: readings.open_points
-- The numbers of a series in those quarter hours that are not yet in the daily figures, in no order.
SELECT r.slot * 900000 + r.offset_ms, r.value, r.quality
FROM slots AS s INDEXED BY idx_slots_state_slot CROSS JOIN readings AS r ON r.slot = s.slot AND r.series = ?3
WHERE s.state IN (0, 1) AND s.slot BETWEEN ?1 AND ?2

-- name: readings.days
-- The daily figures of a series, oldest first: one seek per day.
WITH RECURSIVE span (day) AS (
    VALUES (?1) UNION ALL SELECT day + 1 FROM span WHERE day < ?2
)
SELECT d.day, d.first_ms, d.first, d.last_ms, d.last, d.minimum, d.maximum, d.count
FROM span CROSS JOIN days AS d ON d.day = span.day AND d.series = ?3

-- name: readings.stale_days
-- The days of a series whose figures are not to be trusted.
SELECT day FROM stale WHERE series = ?3 AND day BETWEEN ?1 AND ?2
