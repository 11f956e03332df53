-- What the intruder had of ours, for closing it. `incident_messages`, `incident_recipients` and `intruders`
-- (incident, account, ip, first_message) are there, later `windows` (incident, account, since).

-- name: entered
-- When each address of the intruder first got in as the account. An address older than $days days before the first mail
-- is one of the owner's own and says nothing.
CREATE OR REPLACE TEMP TABLE entered AS
SELECT intruders.incident, intruders.account, intruders.ip, any_value(intruders.first_message) AS first_message,
    min(signins.time) AS first
FROM intruders JOIN signins ON signins.account = intruders.account AND signins.ip = intruders.ip
WHERE signins.outcome = 'success'
GROUP BY ALL
HAVING first >= first_message - to_days($days)

-- name: since
-- The first of them opens the window.
SELECT incident, min(first) FROM entered GROUP BY incident

-- name: also
-- Other accounts that somebody got into from there: the address is as new to them as it is to the incident's account.
SELECT DISTINCT incident, account
FROM (
    SELECT entered.incident, signins.account, min(signins.time) AS first, any_value(entered.first_message) AS first_message
    FROM entered JOIN signins ON signins.ip = entered.ip AND signins.account <> entered.account
    WHERE signins.outcome = 'success'
    GROUP BY entered.incident, signins.account, entered.ip
)
WHERE first >= first_message - to_days($days)
ORDER BY ALL

-- name: forwards
-- Where mail of the account went by a rule from the moment the intruder was in, and had not gone before.
SELECT incident, changes.after
FROM windows JOIN changes USING (account)
WHERE changes.operation = 'rule.redirect' AND changes.after IS NOT NULL
GROUP BY incident, changes.after, since
HAVING min(changes.time) >= since
ORDER BY ALL

-- name: copies
-- The incident's mails that lie in mailboxes of ours, by Message-ID: what can be taken out of them again.
SELECT incident, deliveries.address AS mailbox, list(DISTINCT messages.message_id ORDER BY messages.message_id) AS message_ids
FROM incident_messages
JOIN messages USING (message_key)
JOIN deliveries USING (message_key)
WHERE deliveries.status = 'delivered' AND messages.message_id <> ''
    AND lower(split_part(deliveries.address, '@', -1)) IN (FROM own_domains)
GROUP BY incident, deliveries.address
ORDER BY ALL

-- name: unnamed
-- How many copies lie in mailboxes of ours that have no Message-ID to find them by.
SELECT incident, count(*)
FROM incident_messages
JOIN messages USING (message_key)
JOIN deliveries USING (message_key)
WHERE deliveries.status = 'delivered' AND coalesce(messages.message_id, '') = ''
    AND lower(split_part(deliveries.address, '@', -1)) IN (FROM own_domains)
GROUP BY incident
