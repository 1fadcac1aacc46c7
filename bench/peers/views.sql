-- The fields currentContract and openProposal of the schema as views, so that PostGraphile can join them.
CREATE SCHEMA peers;

CREATE VIEW peers.current_contracts AS
SELECT id, asset_id, version FROM core.contracts WHERE status = 'ACTIVE';
COMMENT ON VIEW peers.current_contracts IS E'@primaryKey id\n@unique asset_id\n@foreignKey (asset_id) references core.assets (id)|@foreignFieldName currentContract';

CREATE VIEW peers.open_proposals AS
SELECT id, asset_id, status, proposed_version FROM workflow.proposals WHERE status IN ('PENDING', 'APPROVED', 'REJECTED');
COMMENT ON VIEW peers.open_proposals IS E'@primaryKey id\n@unique asset_id\n@foreignKey (asset_id) references core.assets (id)|@foreignFieldName openProposal';

COMMENT ON TABLE workflow.registrations IS E'@foreignKey (asset_id) references peers.current_contracts (asset_id)|@foreignFieldName registrations|@fieldName readContract';
