-- Once, as the administrator of the server, before the database is made.
-- novaops_owner migrates; novaops is the one that web, worker and beat connect as.
CREATE ROLE novaops_owner LOGIN;
CREATE ROLE novaops LOGIN;
GRANT novaops TO novaops_owner;
GRANT novaops_owner TO CURRENT_USER;
