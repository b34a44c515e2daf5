"""Where each library keeps what it tells of an AI call: attribute names by our field, best first, and the words in them.

Covered are OpenTelemetry's GenAI conventions (v1.41 and the names before and after it), OpenInference, OpenLLMetry, the Vercel AI SDK,
and the spans that the providers' SDKs tell themselves.
"""

NAMES: dict[str, tuple[str, ...]] = {
    "provider": ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "ai.model.provider", "llm.vendor"),
    "model": (
        "gen_ai.response.model",
        "ai.response.model",
        "llm.response.model",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
        "gen_ai.request.model",
        "llm.request.model",
        "ai.model.id",
    ),
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.usage.prompt_tokens",
        "llm.token_count.prompt",
        "ai.usage.inputTokens",
        "ai.usage.promptTokens",
        "ai.usage.tokens",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
        "ai.usage.outputTokens",
        "ai.usage.completionTokens",
    ),
    "total_tokens": (
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
        "llm.token_count.total",
        "ai.usage.totalTokens",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.cached_input_tokens",
        "gen_ai.usage.details.cache_read_tokens",
        "gen_ai.usage.details.cached_tokens",
        "llm.token_count.prompt_details.cache_read",
        "llm.usage.cache_read_input_tokens",
        "ai.usage.inputTokenDetails.cacheReadTokens",
        "ai.usage.cachedInputTokens",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.details.cache_write_tokens",
        "llm.token_count.prompt_details.cache_write",
        "llm.usage.cache_creation_input_tokens",
        "ai.usage.inputTokenDetails.cacheWriteTokens",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "gen_ai.usage.details.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "llm.usage.reasoning_tokens",
        "ai.usage.outputTokenDetails.reasoningTokens",
        "ai.usage.reasoningTokens",
    ),
    "session_id": (
        "gen_ai.conversation.id",
        "session.id",
        "langfuse.session.id",
        "traceloop.association.properties.session_id",
        "ai.telemetry.metadata.sessionId",
    ),
    "user_id": (
        "user.id",
        "enduser.id",
        "gen_ai.user.id",
        "gen_ai.user",
        "llm.user",
        "langfuse.user.id",
        "traceloop.association.properties.user_id",
        "ai.telemetry.metadata.userId",
    ),
    "response_id": ("gen_ai.response.id", "ai.response.id", "llm.response.id"),
    "finish_reason": ("gen_ai.response.finish_reasons", "gen_ai.response.finish_reason", "llm.finish_reason", "ai.response.finishReason"),
    "service_tier": (
        "openai.response.service_tier",
        "gen_ai.openai.response.service_tier",
        "gen_ai.response.service_tier",
        "anthropic.response.service_tier",
        "openai.request.service_tier",
        "gen_ai.openai.request.service_tier",
    ),
    "module": ("binnacle.module", "ai.telemetry.functionId", "traceloop.workflow.name", "service.name"),
    "environment": ("deployment.environment.name", "deployment.environment", "langfuse.environment"),
    "process_id": ("service.instance.id", "process.pid"),
}
NAMES |= {
    "ttft_s": ("gen_ai.response.time_to_first_chunk", "gen_ai.response.time_to_first_token", "gen_ai.server.time_to_first_token"),
    "ttft_ms": ("ai.response.msToFirstChunk",),
    "error_type": ("error.type",),
    "exception": ("exception.type",),
    "answer": ("output.value",),  # OpenInference keeps the provider's answer here, and its id only in there
    "parameters": ("llm.invocation_parameters", "embedding.invocation_parameters"),
    "vercel": ("ai.operationId",),
}
KINDS = ("gen_ai.operation.name", "openinference.span.kind", "llm.request.type", "traceloop.span.kind", "langfuse.observation.type")
NAMES |= {name: (name,) for name in KINDS}
FIRST_TOKEN_EVENTS = ("First Token Stream Event", "gen_ai.content.completion.chunk", "ai.stream.firstChunk", "gen_ai.first_token")
SAID = {
    "prompt": ("gen_ai.input.messages", "gen_ai.prompt", "input.value", "ai.prompt.messages", "ai.prompt"),
    "completion": ("gen_ai.output.messages", "gen_ai.completion", "ai.response.text", "ai.response.object"),
}

# What kind of work a span says that it is → the operation; None for work that holds AI calls but is none itself.
CALLS: dict[str, str | None] = {
    "chat": "chat", "generate_content": "generate_content", "text_completion": "text_completion", "completion": "text_completion",
    "embeddings": "embeddings", "embedding": "embeddings", "rerank": "rerank", "reranker": "rerank", "llm": "chat", "responses": "chat",
    "image_generation": "image_generation", "speech": "speech", "transcription": "transcription",
    "execute_tool": None, "create_agent": None, "invoke_agent": None, "invoke_workflow": None, "retrieval": None, "plan": None,
    "chain": None, "tool": None, "agent": None, "retriever": None, "guardrail": None, "evaluator": None, "prompt": None,
    "workflow": None, "task": None, "unknown": None, "generation": "chat", "span": None, "event": None,
    "search_memory": None, "update_memory": None, "create_memory": None, "delete_memory": None, "upsert_memory": None,
}  # fmt: skip
VERCEL = {"doGenerate": "chat", "doStream": "chat", "doEmbed": "embeddings"}  # the others of its spans only hold these
PROVIDERS = {
    "az.ai.openai": "azure.ai.openai", "azure": "azure.ai.openai", "azure-openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference", "vertex_ai": "gcp.vertex_ai", "vertexai": "gcp.vertex_ai", "google.vertex": "gcp.vertex_ai",
    "gemini": "gcp.gemini", "google": "gcp.gemini", "google_genai": "gcp.gemini", "google.generative-ai": "gcp.gemini",
    "gcp.gen_ai": "gcp.gemini", "xai": "x_ai", "aws": "aws.bedrock", "amazon-bedrock": "aws.bedrock", "bedrock": "aws.bedrock",
    "mistralai": "mistral_ai", "mistral": "mistral_ai", "cohereai": "cohere",
}  # fmt: skip
TIERS = {"default": None, "standard": None, "auto": None}
COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "total_tokens")
