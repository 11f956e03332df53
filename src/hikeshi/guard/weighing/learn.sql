-- What accounts did, account by account in the order of time: the events that guard/weighing/score.py takes one at a time.

-- name: events
-- Mails handed in, sign-ins that are not part of handing in, and bounces. `seconds` since 1970, UTC. `addresses` of a mail
-- are those it was for after alias expansion, as in detect/weights.sql; `written` those that the sender wrote.
WITH mine AS (
    SELECT message_key, account, time, client_ip, session, mail_from, size, subject, fingerprint, message_id, queue_id,
        input, record
    FROM messages WHERE direction = 'submitted' AND accepted AND account IS NOT NULL
), gone AS (
    SELECT message_key, list(address ORDER BY address) AS addresses,
        list(DISTINCT orig_to) FILTER (orig_to IS NOT NULL) AS written
    FROM deliveries GROUP BY message_key
), told AS (
    SELECT 'mail' AS kind, 1 AS turn, account, time, coalesce(client_ip, '') AS ip, session, mail_from, size, subject,
        fingerprint, message_id, queue_id, addresses, written, input, record
    FROM mine LEFT JOIN gone USING (message_key)
    UNION ALL BY NAME
    SELECT 'signin' AS kind, 0 AS turn, account, time, ip, input, record
    FROM signins WHERE outcome = 'success' AND account IS NOT NULL AND ip IS NOT NULL AND protocol <> 'smtp'
    UNION ALL BY NAME
    SELECT 'bounce' AS kind, 2 AS turn, mine.account, deliveries.time, deliveries.input, deliveries.record
    FROM deliveries JOIN mine USING (message_key)
    WHERE deliveries.status = 'bounced' AND deliveries.time IS NOT NULL
)
SELECT kind, account, epoch(time) AS seconds, ip, session, mail_from, size, subject, fingerprint, message_id, queue_id,
    addresses, written
FROM told ORDER BY account, time, turn, if(kind = 'signin', ip, ''), input, record

-- name: begin
-- When the first of these mails was handed in, and the last; seconds since 1970.
SELECT epoch(min(time)), epoch(max(time)) FROM messages
WHERE direction = 'submitted' AND accepted AND account IS NOT NULL
