-- A hold says how many of its tokens are output: input and output may have rates of their own.
ALTER TABLE hold ADD COLUMN output_tokens bigint NOT NULL DEFAULT 0 CHECK (output_tokens >= 0);

-- Of a rate: its window, the most that one request may take from it. Empty in holds from before, whose tokens were taken
-- at admission.
ALTER TABLE hold ADD COLUMN windows_ns bigint[] NOT NULL DEFAULT '{}'; -- parallel to meter_ids

-- Separate meters, one for each end user or tag value, are bounded per tenant; this counts them.
CREATE INDEX meter_separate ON meter (tenant_id) WHERE strpos(name, '#') > 0;
