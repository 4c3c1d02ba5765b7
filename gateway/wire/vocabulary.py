"""Names and words of OpenAI's protocol that nobody has chosen, so that there is nothing in them to look at. Pure."""

NOT_SENT = frozenset({"model", "user", "safety_identifier"})
"""The upstream gets others of the gateway's."""

FIELDS = frozenset(
    {
        *("stream", "stream_options", "temperature", "top_p", "n", "stop", "seed", "max_tokens"),
        *("max_completion_tokens", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs"),
        *("metadata", "store", "service_tier", "prompt_cache_key", "reasoning_effort", "verbosity", "modalities"),
        *("parallel_tool_calls", "tools", "tool_choice", "functions", "function_call", "response_format"),
        *("prediction", "web_search_options", "audio"),
    }
)
"""Of requests, where numbers are settings."""

OF_ANSWERS = frozenset(
    {"id", "object", "created", "model", "system_fingerprint", "service_tier", "usage", "obfuscation"}
)
"""What an upstream says of its answer, not what a model wrote."""

STRUCTURE = frozenset({"role", "finish_reason", "signature", "encrypted_content"})
"""Fields of answers whose values hold the form together, and come whole."""

WORD_FIELDS = frozenset(
    {
        *("role", "type", "format", "detail", "finish_reason", "object", "tool_choice", "function_call", "mode"),
        *("reasoning_effort", "effort", "verbosity", "service_tier", "modalities", "search_context_size", "syntax"),
    }
)
"""Fields that hold one of `WORDS`."""

WORDS = frozenset(
    {
        *("system", "developer", "user", "assistant", "tool", "function", "text", "refusal", "image_url", "file"),
        *("input_audio", "audio", "auto", "none", "required", "default", "flex", "priority", "low", "medium", "high"),
        *("minimal", "json_object", "json_schema", "object", "array", "string", "integer", "number", "boolean", "null"),
        *("content", "ephemeral", "approximate", "url_citation", "reasoning.text", "thinking"),
        *("stop", "length", "tool_calls", "content_filter", "function_call", "custom", "video_url", "wav", "mp3"),
    }
)
"""What such a field says in every request."""

NAMES = frozenset(
    {
        *("type", "text", "refusal", "image_url", "url", "detail", "file", "filename", "file_data", "file_id", "id"),
        *("input_audio", "data", "format", "function", "name", "description", "parameters", "properties", "required"),
        *("items", "enum", "additionalProperties", "strict", "content", "cache_control", "tool_calls", "arguments"),
        *("index", "role", "title", "default", "anyOf", "oneOf", "allOf", "minimum", "maximum", "schema", "const"),
        *("json_schema", "tool_call_id", "include_usage", "reasoning_content", "reasoning", "reasoning_details"),
        *("signature", "encrypted_content", "thinking_blocks", "video_url"),
        *("audio", "transcript", "expires_at", "annotations", "url_citation", "start_index", "end_index", "summary"),
        *(
            "choices",
            "message",
            "delta",
            "logprobs",
            "finish_reason",
            "function_call",
            "thinking",
            "custom",
            "input",
            "bytes",
        ),
    }
)
"""Names of fields that nobody has chosen."""
