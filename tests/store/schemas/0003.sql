CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	PRIMARY KEY (version_num)
);
CREATE TABLE experiments (
	id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	artifact_location TEXT NOT NULL, 
	lifecycle_stage VARCHAR(8) NOT NULL, 
	creation_time BIGINT NOT NULL, 
	last_update_time BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE TABLE registered_models (
	id INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	description TEXT NOT NULL, 
	creation_timestamp BIGINT NOT NULL, 
	last_updated_timestamp BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (name)
);
CREATE TABLE experiment_tags (
	experiment INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (experiment, "key"), 
	FOREIGN KEY(experiment) REFERENCES experiments (id) ON DELETE CASCADE
);
CREATE TABLE runs (
	id INTEGER NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	experiment INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	user_id VARCHAR(256) NOT NULL, 
	status VARCHAR(9) NOT NULL, 
	lifecycle_stage VARCHAR(8) NOT NULL, 
	start_time BIGINT NOT NULL, 
	end_time BIGINT, 
	deleted_time BIGINT, 
	parent_run_id VARCHAR(32), 
	lease_until BIGINT, 
	PRIMARY KEY (id), 
	UNIQUE (run_id), 
	FOREIGN KEY(experiment) REFERENCES experiments (id)
);
CREATE INDEX ix_runs_newest ON runs (experiment, lifecycle_stage, start_time, id);
CREATE INDEX ix_runs_lease ON runs (lease_until);
CREATE INDEX ix_runs_parent ON runs (parent_run_id);
CREATE TABLE datasets (
	id INTEGER NOT NULL, 
	experiment INTEGER NOT NULL, 
	name VARCHAR(256) NOT NULL, 
	digest VARCHAR(64) NOT NULL, 
	source_type VARCHAR(36) NOT NULL, 
	source TEXT NOT NULL, 
	schema TEXT, 
	profile TEXT, 
	PRIMARY KEY (id), 
	UNIQUE (experiment, name, digest), 
	FOREIGN KEY(experiment) REFERENCES experiments (id)
);
CREATE TABLE registered_model_tags (
	model INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (model, "key"), 
	FOREIGN KEY(model) REFERENCES registered_models (id) ON DELETE CASCADE
);
CREATE TABLE model_versions (
	id INTEGER NOT NULL, 
	model INTEGER NOT NULL, 
	version INTEGER NOT NULL, 
	stage VARCHAR(20) NOT NULL, 
	description TEXT NOT NULL, 
	source TEXT NOT NULL, 
	run_id VARCHAR(32) NOT NULL, 
	model_id VARCHAR(34), 
	status VARCHAR(20) NOT NULL, 
	creation_timestamp BIGINT NOT NULL, 
	last_updated_timestamp BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (model, version), 
	FOREIGN KEY(model) REFERENCES registered_models (id) ON DELETE CASCADE
);
CREATE INDEX ix_model_versions_run ON model_versions (run_id);
CREATE TABLE model_moves (
	id INTEGER NOT NULL, 
	model INTEGER, 
	name VARCHAR(256) NOT NULL, 
	alias VARCHAR(256), 
	version INTEGER, 
	old_value VARCHAR(20), 
	new_value VARCHAR(20), 
	timestamp BIGINT NOT NULL, 
	user_id VARCHAR(256) NOT NULL, 
	reason TEXT NOT NULL, 
	figures TEXT, 
	undoes INTEGER, 
	part_of INTEGER, 
	PRIMARY KEY (id), 
	FOREIGN KEY(model) REFERENCES registered_models (id) ON DELETE SET NULL
);
CREATE INDEX ix_model_moves_model ON model_moves (model);
CREATE INDEX ix_model_moves_name ON model_moves (name);
CREATE TABLE params (
	run INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	number FLOAT, 
	PRIMARY KEY (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE INDEX ix_params_number ON params ("key", number);
CREATE TABLE tags (
	run INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE TABLE param_changes (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	old_value TEXT NOT NULL, 
	new_value TEXT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	user_id VARCHAR(256) NOT NULL, 
	reason TEXT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX ix_param_changes_run ON param_changes (run, "key");
CREATE TABLE metrics (
	run INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	special SMALLINT DEFAULT '0' NOT NULL, 
	step BIGINT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	lowest FLOAT, 
	highest FLOAT, 
	PRIMARY KEY (run, "key"), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
)
 WITHOUT ROWID

;
CREATE INDEX ix_metrics_value ON metrics ("key", value, special);
CREATE TABLE metric_points (
	id INTEGER NOT NULL, 
	run INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value FLOAT NOT NULL, 
	special SMALLINT DEFAULT '0' NOT NULL, 
	step BIGINT NOT NULL, 
	timestamp BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX ix_metric_points_history ON metric_points (run, "key");
CREATE TABLE run_datasets (
	run INTEGER NOT NULL, 
	dataset INTEGER NOT NULL, 
	tags TEXT NOT NULL, 
	PRIMARY KEY (run, dataset), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE, 
	FOREIGN KEY(dataset) REFERENCES datasets (id)
);
CREATE INDEX ix_run_datasets_dataset ON run_datasets (dataset);
CREATE TABLE logged_models (
	id INTEGER NOT NULL, 
	model_id VARCHAR(34) NOT NULL, 
	run INTEGER NOT NULL, 
	artifact_path VARCHAR(500) NOT NULL, 
	flavor VARCHAR(64) NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	size_bytes BIGINT NOT NULL, 
	creation_timestamp BIGINT NOT NULL, 
	PRIMARY KEY (id), 
	UNIQUE (model_id), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE INDEX ix_logged_models_run ON logged_models (run);
CREATE TABLE files (
	run INTEGER NOT NULL, 
	path VARCHAR(700) NOT NULL, 
	size BIGINT NOT NULL, 
	sha256 VARCHAR(64) NOT NULL, 
	PRIMARY KEY (run, path), 
	FOREIGN KEY(run) REFERENCES runs (id) ON DELETE CASCADE
);
CREATE TABLE model_version_tags (
	version INTEGER NOT NULL, 
	"key" VARCHAR(250) NOT NULL, 
	value TEXT NOT NULL, 
	PRIMARY KEY (version, "key"), 
	FOREIGN KEY(version) REFERENCES model_versions (id) ON DELETE CASCADE
);
CREATE TABLE model_aliases (
	model INTEGER NOT NULL, 
	alias VARCHAR(256) NOT NULL, 
	version INTEGER NOT NULL, 
	PRIMARY KEY (model, alias), 
	FOREIGN KEY(model) REFERENCES registered_models (id) ON DELETE CASCADE, 
	FOREIGN KEY(version) REFERENCES model_versions (id) ON DELETE CASCADE
);
INSERT INTO "alembic_version" VALUES('0003');
INSERT INTO "experiments" VALUES(0, 'Default', '', 'active', 1795466078997, 1795466078999);
INSERT INTO "experiments" VALUES(1, 'Größe & 模型', 's3://bucket/place', 'active', 1795466078997, 1795466078997);
INSERT INTO "experiments" VALUES(2, 'gone', '', 'deleted', 1795466078998, 1795466079009);
INSERT INTO "registered_models" VALUES(1, 'churn', 'who leaves', 1795466079010, 1795466079025);
INSERT INTO "registered_models" VALUES(2, 'Churn', '', 1795466079013, 1795466079013);
INSERT INTO "experiment_tags" VALUES(1, 'team', 'α');
INSERT INTO "experiment_tags" VALUES(1, 'empty', '');
INSERT INTO "experiment_tags" VALUES(0, 'mlflow.note.content', 'two
lines; it''s "quoted"');
INSERT INTO "runs" VALUES(1, '11111111111111111111111111111111', 1, 'search', 'ada', 'FINISHED', 'active', 1700000001000, 1700000099000, NULL, NULL, NULL);
INSERT INTO "runs" VALUES(2, '22222222222222222222222222222222', 1, 'fold 0', 'ada', 'FINISHED', 'active', 1700000002000, 1700000005000, NULL, '11111111111111111111111111111111', NULL);
INSERT INTO "runs" VALUES(3, '33333333333333333333333333333333', 1, 'fold 1', 'ada', 'FAILED', 'active', 1700000003000, 1700000005001, NULL, '11111111111111111111111111111111', NULL);
INSERT INTO "runs" VALUES(4, '44444444444444444444444444444444', 1, 'deleted', 'ada', 'RUNNING', 'deleted', 1700000004000, NULL, 1795466079007, '11111111111111111111111111111111', NULL);
INSERT INTO "runs" VALUES(5, '55555555555555555555555555555555', 0, 'kühl 🙂', 'ada', 'RUNNING', 'active', 1700000005000, NULL, NULL, NULL, NULL);
INSERT INTO "runs" VALUES(6, '66666666666666666666666666666666', 2, 'with its experiment', 'ada', 'RUNNING', 'deleted', 1700000006000, NULL, 1795466079009, NULL, NULL);
INSERT INTO "datasets" VALUES(1, 1, 'iris', 'abc123', 'local', '{"path": "iris.csv"}', '{"columns": []}', '{"rows": 150}');
INSERT INTO "datasets" VALUES(2, 1, 'bare', 'd', 'code', '{}', NULL, NULL);
INSERT INTO "registered_model_tags" VALUES(1, 'owner', 'ada');
INSERT INTO "model_versions" VALUES(1, 1, 1, 'Production', 'first', 's3://bucket/place/11111111111111111111111111111111/artifacts/model', '11111111111111111111111111111111', 'm-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 'READY', 1795466079017, 1795466079025);
INSERT INTO "model_versions" VALUES(2, 1, 2, 'None', '', 's3://elsewhere/model', '', NULL, 'READY', 1795466079021, 1795466079021);
INSERT INTO "model_versions" VALUES(3, 1, 3, 'Deleted', '', '', '', NULL, 'READY', 1795466079022, 1795466079022);
INSERT INTO "params" VALUES(1, 'C', '1.0', 1.0);
INSERT INTO "params" VALUES(1, 'big', '1e400', NULL);
INSERT INTO "params" VALUES(1, 'empty', '', NULL);
INSERT INTO "params" VALUES(1, 'kernel', 'rbf', NULL);
INSERT INTO "params" VALUES(1, 'text', 'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx', NULL);
INSERT INTO "params" VALUES(6, 'p', '1', 1.0);
INSERT INTO "tags" VALUES(1, 'Case', 'a');
INSERT INTO "tags" VALUES(1, 'case', 'b');
INSERT INTO "tags" VALUES(1, 'mlflow.note.content', '# note
''quoted''');
INSERT INTO "tags" VALUES(1, 'mlflow.runName', 'search');
INSERT INTO "tags" VALUES(2, 'fold', '0');
INSERT INTO "tags" VALUES(2, 'mlflow.parentRunId', '11111111111111111111111111111111');
INSERT INTO "tags" VALUES(2, 'mlflow.runName', 'fold 0');
INSERT INTO "tags" VALUES(3, 'mlflow.parentRunId', '11111111111111111111111111111111');
INSERT INTO "tags" VALUES(3, 'mlflow.runName', 'fold 1');
INSERT INTO "tags" VALUES(4, 'mlflow.parentRunId', '11111111111111111111111111111111');
INSERT INTO "tags" VALUES(4, 'mlflow.runName', 'deleted');
INSERT INTO "tags" VALUES(5, 'mlflow.parentRunId', 'not-an-id-but-text-of-more-than-32-characters');
INSERT INTO "tags" VALUES(5, 'mlflow.runName', 'kühl 🙂');
INSERT INTO "tags" VALUES(6, 'mlflow.runName', 'with its experiment');
INSERT INTO "metrics" VALUES(1, 'diverged', 0.0, 1, 1, 1700000000001, 1.0, 1.0);
INSERT INTO "metrics" VALUES(1, 'exploded', 7.0, 0, 2, 1700000000002, 2.0, 1.7976931348623157e+308);
INSERT INTO "metrics" VALUES(1, 'limits', -1.7976931348623157e+308, 0, 2, 1700000000002, -1.7976931348623157e+308, 1.7976931348623157e+308);
INSERT INTO "metrics" VALUES(1, 'loss', 0.375, 0, 2, 1700000000002, 0.25, 0.5);
INSERT INTO "metrics" VALUES(1, 'nothing', 0.0, 1, 1, 1700000000001, NULL, NULL);
INSERT INTO "metrics" VALUES(1, 'sank', -1.7976931348623157e+308, 3, 1, 1700000000001, -1.7976931348623157e+308, -1.0);
INSERT INTO "metrics" VALUES(1, 'sum', 0.30000000000000004, 0, 0, 1700000000000, 0.30000000000000004, 0.30000000000000004);
INSERT INTO "metrics" VALUES(1, 'zero', 0.0, 4, 0, 1700000000000, 0.0, 0.0);
INSERT INTO "metrics" VALUES(2, 'late', 0.5, 0, 5, 1700000000000, -3.0, 9.0);
INSERT INTO "metric_points" VALUES(1, 1, 'loss', 0.5, 0, 0, 1700000000000);
INSERT INTO "metric_points" VALUES(2, 1, 'loss', 0.25, 0, 1, 1700000000001);
INSERT INTO "metric_points" VALUES(3, 1, 'loss', 0.375, 0, 2, 1700000000002);
INSERT INTO "metric_points" VALUES(4, 1, 'diverged', 1.0, 0, 0, 1700000000000);
INSERT INTO "metric_points" VALUES(5, 1, 'diverged', 0.0, 1, 1, 1700000000001);
INSERT INTO "metric_points" VALUES(6, 1, 'nothing', 0.0, 1, 0, 1700000000000);
INSERT INTO "metric_points" VALUES(7, 1, 'nothing', 0.0, 1, 1, 1700000000001);
INSERT INTO "metric_points" VALUES(8, 1, 'exploded', 2.0, 0, 0, 1700000000000);
INSERT INTO "metric_points" VALUES(9, 1, 'exploded', 1.7976931348623157e+308, 2, 1, 1700000000001);
INSERT INTO "metric_points" VALUES(10, 1, 'exploded', 7.0, 0, 2, 1700000000002);
INSERT INTO "metric_points" VALUES(11, 1, 'sank', -1.0, 0, 0, 1700000000000);
INSERT INTO "metric_points" VALUES(12, 1, 'sank', -1.7976931348623157e+308, 3, 1, 1700000000001);
INSERT INTO "metric_points" VALUES(13, 1, 'zero', 0.0, 4, 0, 1700000000000);
INSERT INTO "metric_points" VALUES(14, 1, 'limits', 1.7976931348623157e+308, 0, 0, 1700000000000);
INSERT INTO "metric_points" VALUES(15, 1, 'limits', 5e-324, 0, 1, 1700000000001);
INSERT INTO "metric_points" VALUES(16, 1, 'limits', -1.7976931348623157e+308, 0, 2, 1700000000002);
INSERT INTO "metric_points" VALUES(17, 1, 'sum', 0.30000000000000004, 0, 0, 1700000000000);
INSERT INTO "metric_points" VALUES(18, 2, 'late', 1.0, 0, 5, 1700000000000);
INSERT INTO "metric_points" VALUES(19, 2, 'late', 9.0, 0, 3, 1700000000000);
INSERT INTO "metric_points" VALUES(20, 2, 'late', 0.5, 0, 5, 1700000000000);
INSERT INTO "metric_points" VALUES(21, 2, 'late', -3.0, 0, -7, 1700000000000);
INSERT INTO "run_datasets" VALUES(1, 1, '{"mlflow.data.context": "train"}');
INSERT INTO "run_datasets" VALUES(2, 1, '{}');
INSERT INTO "run_datasets" VALUES(2, 2, '{"\u00e9": "\u00fc"}');
INSERT INTO "logged_models" VALUES(1, 'm-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', 1, 'model', 'sklearn', 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff', 12345, 1700000000007);
INSERT INTO "model_version_tags" VALUES(1, 'k', 'v');
INSERT INTO "model_aliases" VALUES(1, 'champion', 1);
