"""Answers of which a blob is the body: what boto3 gives to be read, and so do the clients.

Called `Body` mostly; here are those that are not. A test compares them with AWS's models.
"""

from collections.abc import Mapping

BODY = "Body"

OTHERS: Mapping[str, str] = {
    "apigateway.get_export": "body",
    "apigateway.get_sdk": "body",
    "apigatewayv2.export_api": "body",
    "appconfig.create_hosted_configuration_version": "Content",
    "appconfig.get_configuration": "Content",
    "appconfig.get_hosted_configuration_version": "Content",
    "appconfigdata.get_latest_configuration": "Configuration",
    "appsync.get_introspection_schema": "schema",
    "bedrock-agentcore.invoke_agent_runtime": "response",
    "bedrock-runtime.invoke_model": "body",
    "cloudfront.get_connection_function": "ConnectionFunctionCode",
    "cloudfront.get_function": "FunctionCode",
    "codeartifact.get_package_version_asset": "asset",
    "codeguruprofiler.get_profile": "profile",
    "datazone.get_lineage_event": "event",
    "ebs.get_snapshot_block": "BlockData",
    "geo-maps.get_glyphs": "Blob",
    "geo-maps.get_sprites": "Blob",
    "geo-maps.get_static_map": "Blob",
    "geo-maps.get_style_descriptor": "Blob",
    "geo-maps.get_tile": "Blob",
    "glacier.get_job_output": "body",
    "iot-data.delete_thing_shadow": "payload",
    "iot-data.get_thing_shadow": "payload",
    "iot-data.update_thing_shadow": "payload",
    "iotwireless.get_position_estimate": "GeoJsonPayload",
    "iotwireless.get_resource_position": "GeoJsonPayload",
    "kinesis-video-archived-media.get_clip": "Payload",
    "kinesis-video-archived-media.get_media_for_fragment_list": "Payload",
    "kinesis-video-media.get_media": "Payload",
    "lakeformation.get_work_unit_results": "ResultStream",
    "lambda.invoke": "Payload",
    "lex-runtime.post_content": "audioStream",
    "lex-runtime.put_session": "audioStream",
    "lexv2-runtime.put_session": "audioStream",
    "lexv2-runtime.recognize_utterance": "audioStream",
    "location.get_map_glyphs": "Blob",
    "location.get_map_sprites": "Blob",
    "location.get_map_style_descriptor": "Blob",
    "location.get_map_tile": "Blob",
    "medical-imaging.get_image_frame": "imageFrameBlob",
    "medical-imaging.get_image_set_metadata": "imageSetMetadataBlob",
    "neptune-graph.execute_query": "payload",
    "neptunedata.execute_gremlin_explain_query": "output",
    "neptunedata.execute_gremlin_profile_query": "output",
    "neptunedata.execute_open_cypher_explain_query": "results",
    "omics.get_read_set": "payload",
    "omics.get_reference": "payload",
    "polly.synthesize_speech": "AudioStream",
    "s3.get_object_annotation": "AnnotationPayload",
    "sagemaker-geospatial.get_tile": "BinaryFile",
    "sagemakertrainingsessionruntime.sample_training_session": "body",
    "sagemakertrainingsessionruntime.sample_training_session_with_response_stream": "body",
    "workmailmessageflow.get_raw_message_content": "messageContent",
}


def body_name(method: str) -> str:
    """What the body of an operation's answer is called, if it has one."""
    return OTHERS.get(method, BODY)
