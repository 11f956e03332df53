-- Whom the incidents reached. `incident_messages` (incident, account, message_key) names their messages.

-- name: recipients
-- One row an incident and address: its best fate over the incident's messages, in the order delivered, deferred, held,
-- unknown, expired, bounced. Whoever received one copy has been reached.
CREATE OR REPLACE TEMP TABLE incident_recipients AS
SELECT
    mine.incident,
    deliveries.address,
    lower(split_part(deliveries.address, '@', -1)) AS domain,
    count(DISTINCT mine.message_key) AS messages,
    arg_min(deliveries.status, rank) AS status,
    arg_min(deliveries.dsn, rank) AS dsn,
    arg_min(deliveries.reason, rank) AS reason,
    min(messages.time) AS first_time,
    max(messages.time) AS last_time,
    min(deliveries.time) FILTER (deliveries.status = 'delivered') AS delivered_at,
    arg_min(deliveries.input, (rank, deliveries.record)) AS input,
    arg_min(deliveries.record, (rank, deliveries.record)) AS record,
    min((epoch_us(messages.time), messages.record)) AS turn
FROM incident_messages AS mine
JOIN deliveries USING (message_key)
JOIN messages USING (message_key)
JOIN (VALUES ('delivered', 1), ('deferred', 2), ('held', 3), ('unknown', 4), ('expired', 5), ('bounced', 6)) AS ranks (status, rank)
    ON ranks.status = deliveries.status
GROUP BY mine.incident, deliveries.address

-- name: known
-- Recipients to whom the owner wrote as well, in messages that are no part of the incident.
CREATE OR REPLACE TEMP TABLE incident_known AS
WITH own AS (
    SELECT DISTINCT sent.account, lower(deliveries.address) AS address
    FROM sent JOIN deliveries USING (message_key) ANTI JOIN incident_messages USING (message_key)
), accounts AS (
    SELECT DISTINCT incident, account FROM incident_messages
)
SELECT DISTINCT incident, recipients.address
FROM incident_recipients AS recipients
JOIN accounts USING (incident)
JOIN own ON own.account = accounts.account AND own.address = lower(recipients.address)

-- name: counts
-- The counts of every incident. Messages, addresses, domains and people are four different things.
SELECT
    incident,
    count(*) AS addresses,
    count(DISTINCT domain) AS domains,
    count(DISTINCT lower(regexp_replace(address, '[+][^@]*@', '@'))) AS people,
    count(*) FILTER (status = 'delivered') AS delivered,
    count(*) FILTER (status = 'bounced') AS bounced,
    count(*) FILTER (status = 'deferred') AS deferred,
    count(*) FILTER (status = 'expired') AS expired,
    count(*) FILTER (status = 'held') AS held,
    count(*) FILTER (status = 'unknown') AS unknown,
    count(*) FILTER (domain IN (FROM own_domains)) AS internal,
    count(*) FILTER (domain NOT IN (FROM own_domains)) AS outside,
    count(*) FILTER (domain IN (FROM freemail)) AS freemail,
    count(DISTINCT domain) FILTER (domain NOT IN (FROM own_domains) AND domain NOT IN (FROM freemail)) AS company_domains,
    count(incident_known.address) AS known_before
FROM incident_recipients LEFT JOIN incident_known USING (incident, address)
GROUP BY incident

-- name: messages
-- How many messages, from where, through which sessions, and how many recipients the log does not show.
SELECT
    mine.incident,
    count(*) AS messages,
    list(DISTINCT client_ip ORDER BY client_ip) FILTER (client_ip IS NOT NULL) AS client_ips,
    list(DISTINCT session ORDER BY session) FILTER (session IS NOT NULL) AS sessions,
    list(DISTINCT subject ORDER BY subject) FILTER (subject IS NOT NULL) AS subjects,
    sum(greatest(0, coalesce(nrcpt, 0) - coalesce(shown.addresses, 0))) AS unseen,
    min(time) AS first, max(time) AS last
FROM incident_messages AS mine
JOIN messages USING (message_key)
LEFT JOIN (
    SELECT message_key, count(*) AS addresses FROM deliveries SEMI JOIN incident_messages USING (message_key) GROUP BY message_key
) AS shown USING (message_key)
GROUP BY mine.incident
