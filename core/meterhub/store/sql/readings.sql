-- name: readings.slots_of
-- The slots that begin in a span of time, oldest first.
SELECT slot, start_ms, state FROM slots WHERE start_ms >= ? AND start_ms < ? ORDER BY start_ms

-- name: readings.put_slot
-- Begin a slot.
INSERT INTO slots (slot, start_ms, state) VALUES (?, ?, ?)

-- name: readings.last_ms
-- When the last reading of a slot was measured.
SELECT start_ms + max(
    (SELECT ifnull(max(offset_ms), 0) FROM readings WHERE slot = :slot),
    (SELECT ifnull(max(offset_ms), 0) FROM texts WHERE slot = :slot)
) FROM slots WHERE slot = :slot

-- name: readings.slot
-- When a slot begins and how far it is.
SELECT start_ms, state FROM slots WHERE slot = ?

-- name: readings.set_slot
-- How far a slot is.
UPDATE slots SET state = ?2 WHERE slot = ?1

-- name: readings.unfolded_slots
-- The slots whose newest readings are not yet in latest, oldest first.
SELECT slot, start_ms FROM slots WHERE state = 0 ORDER BY start_ms

-- name: readings.due_slots
-- Slots that began before :before_ms and are not yet in the daily figures, oldest first.
SELECT slot, start_ms FROM slots WHERE state = 0 AND start_ms < :before_ms
UNION ALL
SELECT slot, start_ms FROM slots WHERE state = 1 AND start_ms < :before_ms
ORDER BY start_ms LIMIT :limit

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
-- Take the newest numbers of a slot into latest. With a lone max(), SQLite takes the other columns from its row.
INSERT INTO latest (series, measured_ms, value, quality)
SELECT series, :start_ms + max(offset_ms), value, quality FROM readings WHERE slot = :slot GROUP BY series
ON CONFLICT (series) DO UPDATE
SET measured_ms = excluded.measured_ms, value = excluded.value, quality = excluded.quality
WHERE excluded.measured_ms >= latest.measured_ms

-- name: readings.fold_texts
-- Take the newest texts of a slot into latest.
INSERT INTO latest (series, measured_ms, value, quality)
SELECT series, :start_ms + max(offset_ms), value, quality FROM texts WHERE slot = :slot GROUP BY series
ON CONFLICT (series) DO UPDATE
SET measured_ms = excluded.measured_ms, value = excluded.value, quality = excluded.quality
WHERE excluded.measured_ms >= latest.measured_ms

-- name: readings.roll_slot
-- Merge the figures of a whole slot into those of its day. Most series have one reading in it, which is all of them.
INSERT INTO days (day, series, first_ms, first, last_ms, last, minimum, maximum, count)
SELECT :day, series,
       :start_ms + low,
       iif(count = 1, minimum, (SELECT value FROM readings AS r
                                WHERE r.slot = :slot AND r.series = part.series AND r.offset_ms = low)),
       :start_ms + high,
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
-- The numbers of a series in the slots that begin in a span of time, oldest first: one seek per slot.
SELECT s.start_ms + r.offset_ms, r.value, r.quality
FROM slots AS s CROSS JOIN readings AS r ON r.slot = s.slot AND r.series = ?3
WHERE s.start_ms BETWEEN ?1 AND ?2
ORDER BY s.start_ms, r.offset_ms LIMIT ?4

-- name: readings.texts
-- The texts of a series in the slots that begin in a span of time, oldest first.
SELECT s.start_ms + r.offset_ms, r.value, r.quality
FROM slots AS s CROSS JOIN texts AS r ON r.slot = s.slot AND r.series = ?3
WHERE s.start_ms BETWEEN ?1 AND ?2
ORDER BY s.start_ms, r.offset_ms LIMIT ?4

-- name: readings.rolled_points
-- The numbers of a series in those slots that are in the daily figures.
SELECT s.start_ms + r.offset_ms, r.value, r.quality
FROM slots AS s INDEXED BY idx_slots_start_ms CROSS JOIN readings AS r ON r.slot = s.slot AND r.series = ?3
WHERE s.start_ms BETWEEN ?1 AND ?2 AND s.state = 2
ORDER BY s.start_ms, r.offset_ms

-- name: readings.open_points
-- The numbers of a series in those slots that are not yet in the daily figures, in no order.
SELECT s.start_ms + r.offset_ms, r.value, r.quality
FROM slots AS s INDEXED BY idx_slots_state_start_ms CROSS JOIN readings AS r ON r.slot = s.slot AND r.series = ?3
WHERE s.state IN (0, 1) AND s.start_ms BETWEEN ?1 AND ?2

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
