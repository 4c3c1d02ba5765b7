-- A hold says how many of its tokens are output: input and output may have rates of their own.
ALTER TABLE hold ADD COLUMN output_tokens bigint NOT NULL DEFAULT 0 CHECK (output_tokens >= 0);

-- Separate meters, one for each end user or tag value, are bounded per tenant; this counts them.
CREATE INDEX meter_separate ON meter (tenant_id) WHERE strpos(name, '#') > 0;
