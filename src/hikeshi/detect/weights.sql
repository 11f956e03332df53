-- The weights of evidence over columns: the formulas of hikeshi/model.py, message by message.
-- A stream is one account at one place (an IPv4 address, a /64 of IPv6). Times are UTC.

-- name: ratio
-- ln P(what happened | intruder) - ln P(… | owner), both given as probabilities of `happened`, kept within LARGEST.
CREATE OR REPLACE MACRO ratio(intruder, owner, happened) AS greatest(-{LARGEST}, least({LARGEST},
    ln(if(happened, intruder, 1 - intruder) / greatest(if(happened, owner, 1 - owner), 1e-9))))

-- name: sent
-- Every message that an account handed in, with its place, in order; how many recipients it had and how many of them
-- the account had never written to. `moment` is its time in nanoseconds with its number added, so that messages of one
-- second keep their order in windows over time.
CREATE OR REPLACE TEMP TABLE sent AS
WITH mine AS (
    SELECT message_key, account, time, session, client_ip, size, subject, message_id, method, input, record,
        if(contains(client_ip, ':') AND NOT contains(client_ip, '.'),
            regexp_extract(client_ip, '^((?:[0-9A-Fa-f]*:){1,4})', 1) || '/64', client_ip) AS place,
        row_number() OVER (PARTITION BY account ORDER BY time, input, record) AS number
    FROM messages
    WHERE direction = 'submitted' AND accepted AND account IS NOT NULL
), written AS (
    SELECT mine.account, mine.number, mine.time, lower(deliveries.address) AS address
    FROM mine JOIN deliveries USING (message_key)
), dated AS (
    SELECT *, lag(time) OVER (PARTITION BY account, address ORDER BY number) AS before FROM written
), novelty AS (
    SELECT account, number, count(*) AS recipients,
        count(*) FILTER (before IS NULL) AS new,
        count(*) FILTER (before > time - INTERVAL 1 HOUR) AS again
    FROM dated GROUP BY account, number
)
SELECT mine.*, epoch_ns(mine.time) + mine.number AS moment, coalesce(novelty.recipients, 0) AS recipients, coalesce(novelty.new, 0) AS new,
    coalesce(novelty.again, 0) AS again
FROM mine LEFT JOIN novelty USING (account, number)

-- name: places
-- When each account was first seen at each place (signing in, and sending) and whether it had been in that network.
CREATE OR REPLACE TEMP TABLE places AS
WITH seen AS (
    SELECT account, place, time, true AS sending FROM sent
    UNION ALL
    SELECT account, if(contains(ip, ':') AND NOT contains(ip, '.'),
        regexp_extract(ip, '^((?:[0-9A-Fa-f]*:){1,4})', 1) || '/64', ip), time, false
    FROM signins WHERE outcome = 'success' AND account IS NOT NULL AND ip IS NOT NULL AND protocol <> 'smtp'
)
SELECT account, place, min(time) AS first_seen, min(time) FILTER (sending) AS first_sent, max(time) AS last_seen,
    min(min(time)) OVER (PARTITION BY account) AS account_since,
    min(min(time)) OVER (PARTITION BY account, regexp_extract(place, '^(?:[0-9]+[.][0-9]+|[0-9A-Fa-f]*:[0-9A-Fa-f]*)')) < min(time) AS near
FROM seen GROUP BY account, place

-- name: visits
-- One row an account, place and day, sign-ins and mails alike, with running counts: how often a place was new in a
-- known network (near), new altogether, or new altogether again within three days of that. What roams, roams in its
-- sign-ins too.
CREATE OR REPLACE TEMP TABLE visits AS
WITH seen AS (
    SELECT account, place, time FROM sent
    UNION ALL
    SELECT account, if(contains(ip, ':') AND NOT contains(ip, '.'),
        regexp_extract(ip, '^((?:[0-9A-Fa-f]*:){1,4})', 1) || '/64', ip), time
    FROM signins WHERE outcome = 'success' AND account IS NOT NULL AND ip IS NOT NULL AND protocol <> 'smtp'
), daily AS (
    SELECT account, place, min(time) AS time FROM seen GROUP BY account, place, time::DATE
), told AS (
    SELECT daily.*, epoch_us(daily.time) * 1000 + row_number() OVER (PARTITION BY account ORDER BY daily.time, place) AS moment,
        places.account_since > daily.time - INTERVAL 2 DAY AS young,
        places.first_seen = daily.time AS new, places.near
    FROM daily JOIN places USING (account, place)
), moved AS (
    SELECT *, coalesce(max(if(new AND NOT near AND NOT young, 1, 0)) OVER (
        PARTITION BY account ORDER BY moment RANGE BETWEEN 259200000000000 PRECEDING AND 1 PRECEDING
    ), 0) > 0 AS moving
    FROM told
)
SELECT account, place, time, moment, new AND NOT young AS new, near, moving, young,
    count(*) FILTER (new AND NOT young AND NOT moving AND NOT near) OVER past AS place_times,
    count(*) FILTER (NOT young AND NOT moving) OVER past AS place_chances,
    count(*) FILTER (new AND NOT young AND near) OVER past AS near_times,
    count(*) FILTER (NOT young) OVER past AS near_chances,
    count(*) FILTER (new AND NOT young AND moving AND NOT near) OVER past AS move_times,
    count(*) FILTER (NOT young AND moving) OVER past AS move_chances
FROM moved WINDOW past AS (PARTITION BY account ORDER BY moment ROWS UNBOUNDED PRECEDING)

-- name: repeats
-- How many messages of the day before had about the size of this one (classes of one percent, so within one to two
-- percent), or its subject where the log has subjects. Each message is looked for in its own class and both next to it.
CREATE OR REPLACE TEMP TABLE repeats AS
WITH classed AS (
    SELECT account, number, moment, if(subject IS NOT NULL, 'subject:' || subject, NULL) AS content,
        floor(ln(greatest(size, 1)) / 0.01)::BIGINT AS class
    FROM sent WHERE size IS NOT NULL
), posted AS (
    SELECT account, number, moment, class::VARCHAR AS class, true AS own FROM classed WHERE content IS NULL
    UNION ALL SELECT account, number, moment, (class - 1)::VARCHAR, false FROM classed WHERE content IS NULL
    UNION ALL SELECT account, number, moment, (class + 1)::VARCHAR, false FROM classed WHERE content IS NULL
    UNION ALL SELECT account, number, moment, content, true FROM classed WHERE content IS NOT NULL
)
SELECT account, number, alike FROM (
    SELECT account, number, own, count(*) OVER (
        PARTITION BY account, class ORDER BY moment RANGE BETWEEN 86400000000000 PRECEDING AND 1 PRECEDING
    ) AS alike
    FROM posted
) WHERE own

-- name: shown
-- What each message shows, and what the message before it in the stream showed within the last hour.
CREATE OR REPLACE TEMP TABLE shown AS
WITH bounced AS (
    SELECT sent.account, deliveries.time FROM deliveries JOIN sent USING (message_key) WHERE deliveries.status = 'bounced'
), returned AS (
    SELECT bounced.account, sent.number, count(*) AS bounces
    FROM bounced ASOF JOIN sent ON sent.account = bounced.account AND sent.time > bounced.time
    GROUP BY bounced.account, sent.number
), plain AS (
    SELECT sent.account, sent.number, sent.moment, sent.time, sent.place, sent.recipients, sent.new, sent.again,
        -- Too young a history cannot call a place new; a place known by sign-ins for two days is neither new nor used.
        CASE
            WHEN places.account_since > sent.time - INTERVAL 2 DAY THEN NULL
            WHEN row_number() OVER stream > 1 THEN false
            WHEN places.first_seen > sent.time - INTERVAL 2 DAY THEN true
            ELSE NULL END AS place_new,
        places.near,
        coalesce(moves.time > sent.time - INTERVAL 3 DAY, false) AS moving,
        coalesce(roams.time > sent.time - INTERVAL 3 DAY, false) AS roaming,
        count(*) OVER (
            PARTITION BY sent.account, sent.place ORDER BY sent.moment
            RANGE BETWEEN 86400000000000 PRECEDING AND 1 PRECEDING
        ) AS lately,
        coalesce(repeats.alike, 0) >= 2 AS alike,
        coalesce(returned.bounces, 0) AS bounces,
        coalesce(lag(sent.recipients) OVER (PARTITION BY sent.account ORDER BY sent.number), 0) AS before,
        epoch(sent.time) - epoch(lag(sent.time) OVER stream) AS gap
    FROM sent
    LEFT JOIN places USING (account, place)
    LEFT JOIN repeats USING (account, number)
    LEFT JOIN returned USING (account, number)
    ASOF LEFT JOIN (SELECT account, place, time FROM visits WHERE new AND NOT near) AS moves
        ON moves.account = sent.account AND moves.time < places.first_seen
    ASOF LEFT JOIN (SELECT account, place, time FROM visits WHERE new) AS roams
        ON roams.account = sent.account AND roams.time < places.first_seen
    WINDOW stream AS (PARTITION BY sent.account, sent.place ORDER BY sent.number)
), told AS (
    SELECT *,
        CASE WHEN alike THEN true WHEN lately >= 2 THEN false END AS repeats,
        coalesce(gap < {HURRY}, false) AS hurried,
        recipients >= {MANY} AS many,
        2 * new > recipients AS mostly_new
    FROM plain
)
SELECT *,
    if(gap < 3600, lag(mostly_new) OVER stream, NULL) AS after_new,
    if(gap < 86400, lag(repeats) OVER stream, NULL) AS after_repeat,
    coalesce(gap < 3600 AND lag(hurried) OVER stream, false) AS after_hurry,
    coalesce(gap < 86400 AND lag(many) OVER stream, false) AS after_many
FROM told
WINDOW stream AS (PARTITION BY account, place ORDER BY number)

-- name: history
-- What each account's own history said a day before: counts of what happened and of the chances it had. A day's lag,
-- so that what is going on now does not teach that it is normal.
CREATE OR REPLACE TEMP TABLE history AS
SELECT account, number,
    count(*) OVER past AS messages,
    coalesce(sum(new) OVER past, 0) AS known_recipients,
    coalesce(sum(if(after_new IS NULL, share, 0)) OVER past, 0) AS new_times,
    count(*) FILTER (after_new IS NULL AND recipients > 0) OVER past AS new_chances,
    coalesce(sum(if(after_new, share, 0)) OVER past, 0) AS again_times,
    count(*) FILTER (after_new AND recipients > 0) OVER past AS again_chances,
    coalesce(sum(if(NOT after_new, share, 0)) OVER past, 0) AS after_times,
    count(*) FILTER (NOT after_new AND recipients > 0) OVER past AS after_chances,
    coalesce(sum(if(after_new IS NOT NULL, again / greatest(recipients, 1), 0)) OVER past, 0) AS return_times,
    count(*) FILTER (after_new IS NOT NULL AND recipients > 0) OVER past AS return_chances,
    count(*) FILTER (repeats AND after_repeat IS NULL) OVER past AS repeat_times,
    count(*) FILTER (repeats IS NOT NULL AND after_repeat IS NULL) OVER past AS repeat_chances,
    count(*) FILTER (repeats AND NOT after_repeat) OVER past AS other_times,
    count(*) FILTER (repeats IS NOT NULL AND NOT after_repeat) OVER past AS other_chances,
    count(*) FILTER (repeats AND after_repeat) OVER past AS keep_times,
    count(*) FILTER (repeats IS NOT NULL AND after_repeat) OVER past AS keep_chances,
    coalesce(sum((hurried AND NOT after_hurry)::INT) OVER past, 0) AS hurry_times,
    coalesce(sum((gap IS NOT NULL AND NOT after_hurry)::INT) OVER past, 0) AS hurry_chances,
    coalesce(sum((hurried AND after_hurry)::INT) OVER past, 0) AS stay_times,
    coalesce(sum((gap IS NOT NULL AND after_hurry)::INT) OVER past, 0) AS stay_chances,
    coalesce(sum((many AND NOT after_many)::INT) OVER past, 0) AS many_times,
    coalesce(sum((NOT after_many)::INT) OVER past, 0) AS many_chances
FROM (SELECT *, new / greatest(recipients, 1) AS share FROM shown)
WINDOW past AS (
    PARTITION BY account ORDER BY moment RANGE BETWEEN UNBOUNDED PRECEDING AND 86400000000000 PRECEDING
)

-- name: rates
-- The organisation's rates: every account speaks, none of them with more than fifty observations (ten of what goes on
-- within a run), so that one busy machine or one burst does not set what is normal. The first recipients of an account,
-- when everybody is new, are left out of novelty.
SELECT name, sum(least(chances, most) * times / chances) AS times, sum(least(chances, most)) AS chances FROM (
    SELECT *, if(contains(name, '_after_') AND name <> 'place_after_move', 10, 50) AS most FROM (
    SELECT account, name, sum(times) AS times, sum(chances) AS chances FROM (
        SELECT account, unnest([
            {'name': 'new_recipient', 'times': if(after_new IS NULL AND known >= 20, share, 0), 'chances': (after_new IS NULL AND recipients > 0 AND known >= 20)::INT},
            {'name': 'new_after_new', 'times': if(after_new AND known >= 20, share, 0), 'chances': (coalesce(after_new, false) AND recipients > 0 AND known >= 20)::INT},
            {'name': 'new_after_known', 'times': if(NOT after_new AND known >= 20, share, 0), 'chances': (NOT coalesce(after_new, true) AND recipients > 0 AND known >= 20)::INT},
            {'name': 'returns', 'times': if(after_new IS NOT NULL AND recipients > 0, again / greatest(recipients, 1), 0), 'chances': (after_new IS NOT NULL AND recipients > 0)::INT},
            {'name': 'repeat', 'times': (coalesce(repeats, false) AND after_repeat IS NULL)::DOUBLE, 'chances': (repeats IS NOT NULL AND after_repeat IS NULL)::INT},
            {'name': 'repeat_after_other', 'times': coalesce(repeats AND NOT after_repeat, false)::DOUBLE, 'chances': (repeats IS NOT NULL AND NOT coalesce(after_repeat, true))::INT},
            {'name': 'repeat_after_repeat', 'times': coalesce(repeats AND after_repeat, false)::DOUBLE, 'chances': (repeats IS NOT NULL AND coalesce(after_repeat, false))::INT},
            {'name': 'hurry', 'times': (hurried AND NOT after_hurry)::DOUBLE, 'chances': (gap IS NOT NULL AND NOT after_hurry)::INT},
            {'name': 'hurry_after_hurry', 'times': (hurried AND after_hurry)::DOUBLE, 'chances': (gap IS NOT NULL AND after_hurry)::INT},
            {'name': 'many', 'times': (many AND NOT after_many)::DOUBLE, 'chances': (NOT after_many)::INT}
        ], recursive := true)
        FROM (
            SELECT shown.*, shown.new / greatest(shown.recipients, 1) AS share, history.known_recipients AS known
            FROM shown JOIN history USING (account, number)
        )
    ) GROUP BY account, name
    UNION ALL
    SELECT account, unnest(['new_place', 'near_place', 'place_after_move']) AS name,
        unnest([
            count(*) FILTER (new AND NOT moving AND NOT near), count(*) FILTER (new AND near),
            count(*) FILTER (new AND moving AND NOT near)
        ]) AS times,
        unnest([
            count(*) FILTER (NOT young AND NOT moving), count(*) FILTER (NOT young),
            count(*) FILTER (NOT young AND moving)
        ]) AS chances
    FROM visits GROUP BY account
)) WHERE chances > 0 GROUP BY name

-- name: owners
-- What the owner would do, for every message: its own history shrunk to the organisation.
CREATE OR REPLACE TEMP VIEW owners AS
SELECT shown.*, history.* EXCLUDE (account, number, messages),
    history.messages AS past_messages, coalesce(past.place_times, 0) AS place_times,
    coalesce(past.place_chances, 0) AS place_chances, coalesce(past.near_times, 0) AS near_times,
    coalesce(past.near_chances, 0) AS near_chances, coalesce(past.move_times, 0) AS move_times,
    coalesce(past.move_chances, 0) AS move_chances,
    1 / (1 + history.known_recipients / 3) AS young,
    
        if(near, if(roaming, greatest({MOVES_ON}, {near_place}), {near_place}),
        if(moving, greatest({MOVES_ON}, {place_after_move}), {new_place})) AS own_new_place,
    CASE WHEN after_new THEN {new_after_new} WHEN NOT after_new THEN {new_after_known} ELSE {new_recipient} END AS own_new,
    CASE WHEN after_new THEN {INTRUDER_NEW_AFTER_NEW} WHEN NOT after_new THEN {INTRUDER_NEW_AFTER_KNOWN}
        ELSE {INTRUDER_NEW_RECIPIENT} END AS intruder_new,
    {returns} AS own_returns,
    CASE WHEN after_repeat THEN {repeat_after_repeat} WHEN NOT after_repeat THEN {repeat_after_other} ELSE {repeat} END AS own_repeat,
    CASE WHEN after_repeat THEN {INTRUDER_KEEPS_REPEATING} WHEN NOT after_repeat THEN {INTRUDER_REPEATS_AT_LAST}
        ELSE {INTRUDER_REPEATS} END AS intruder_repeats,
    if(after_hurry, {hurry_after_hurry}, {hurry}) AS own_hurry,
    {many_rate} AS own_many
FROM shown JOIN history USING (account, number)
ASOF LEFT JOIN (SELECT * EXCLUDE (new, near, moving, young, moment, place) FROM visits) AS past
    ON past.account = shown.account AND past.time <= shown.time - INTERVAL 1 DAY

-- name: weighed
-- The weights of every message, in nats.
CREATE OR REPLACE TEMP TABLE weighed AS
WITH bounded AS (
    SELECT *, least(0.99, greatest(own_new, young)) AS owner_new, least(0.99, own_repeat) AS owner_repeat,
        new / greatest(recipients, 1) AS share
    FROM owners
), weighing AS (
    SELECT *,
        CASE
            WHEN place_new THEN greatest(0, ratio({INTRUDER_NEW_PLACE}, own_new_place, true))
            WHEN NOT place_new AND after_new IS NULL THEN ratio({INTRUDER_AT_OWNERS_PLACE}, 0.99, true)
            ELSE 0 END AS place_weight,
        if(recipients = 0, 0, (1 + ln(recipients)) * (
            share * ratio(greatest(intruder_new, owner_new), owner_new, true)
            + (1 - share) * ratio(greatest(intruder_new, owner_new), owner_new, false))) AS recipients_weight,
        if(recipients = 0 OR after_new IS NULL, 0,
            again / recipients * ratio({INTRUDER_RETURNS}, own_returns, true)
            + (1 - again / recipients) * ratio({INTRUDER_RETURNS}, own_returns, false)) AS return_weight,
        if(repeats IS NULL, 0, ratio(greatest(intruder_repeats, owner_repeat), owner_repeat, repeats)) AS content_weight,
        if(hurried, greatest(0, ratio(if(after_hurry, {INTRUDER_STAYS_HURRIED}, {INTRUDER_HURRIES}),
            if(after_hurry, greatest({HURRIES_ON}, own_hurry), own_hurry), true)), 0)
            AS pace_weight,
        if(many AND NOT after_many, greatest(0, ratio({INTRUDER_MANY}, own_many, true)), 0) AS many_weight,
        if(bounces = 0, 0, least({LARGEST} / 2, greatest(0, bounces * ratio({INTRUDER_BOUNCE}, {bounce}, true)
            + greatest(0, before - bounces) * ratio({INTRUDER_BOUNCE}, {bounce}, false)))) AS bounce_weight
    FROM bounded
)
SELECT account, number, place, own_new_place, place_weight, recipients_weight, return_weight,
    content_weight, pace_weight, many_weight, bounce_weight,
    place_weight + recipients_weight + return_weight + content_weight + pace_weight + many_weight + bounce_weight AS llr
FROM weighing

-- name: scored
-- The score of the account and of the stream: S = W - min(0, min W), W the running sum.
CREATE OR REPLACE TEMP TABLE scored AS
WITH sums AS (
    SELECT *,
        sum(llr) OVER (PARTITION BY account ORDER BY number ROWS UNBOUNDED PRECEDING) AS account_sum,
        sum(llr) OVER (PARTITION BY account, place ORDER BY number ROWS UNBOUNDED PRECEDING) AS stream_sum
    FROM weighed
)
SELECT * EXCLUDE (account_sum, stream_sum),
    account_sum - least(0, min(account_sum) OVER (PARTITION BY account ORDER BY number ROWS UNBOUNDED PRECEDING)) AS account_score,
    stream_sum - least(0, min(stream_sum) OVER (PARTITION BY account, place ORDER BY number ROWS UNBOUNDED PRECEDING)) AS stream_score
FROM sums
