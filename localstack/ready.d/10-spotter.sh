#!/usr/bin/env bash
# LocalStack runs this once it is ready, and so does whoever built the function afterwards:
#     docker compose exec localstack /etc/localstack/init/ready.d/10-spotter.sh
# Makes what is missing and leaves the rest as it is; the function gets the newest code each time.
#
#     s3://pictures ──► queue spotter ──► function spotter, or `spotter worker`
#                       (dead letters: spotter-dead-letters)
#     s3://pictures-direct ──► function spotter
set -euo pipefail

zip=/opt/spotter/target/lambda/bootstrap/bootstrap.zip
account=000000000000
region=${AWS_DEFAULT_REGION:-us-east-1}
export AWS_DEFAULT_REGION=$region
queue=arn:aws:sqs:$region:$account:spotter
dead_letters=arn:aws:sqs:$region:$account:spotter-dead-letters
function=arn:aws:lambda:$region:$account:function:spotter
events='["s3:ObjectCreated:*", "s3:ObjectRemoved:*", "s3:LifecycleExpiration:*"]'
function_timeout=10 # seconds

say() { echo "spotter: $*"; }

bucket() {
    awslocal s3api head-bucket --bucket "$1" >/dev/null 2>&1 || awslocal s3api create-bucket --bucket "$1" >/dev/null
    # For uploads out of a browser, as presigned URLs and POST forms allow them.
    awslocal s3api put-bucket-cors --bucket "$1" --cors-configuration '{"CORSRules": [{
        "AllowedOrigins": ["*"], "AllowedMethods": ["GET", "HEAD", "PUT", "POST"], "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag", "x-amz-version-id"]}]}'
}

# Only what a delivery needs: a message that failed comes back after six time-outs of the function, as AWS advises,
# and that a thousand times, so that an outage of the database of 16 hours sends nothing to the dead letters.
queues() {
    awslocal sqs create-queue --queue-name spotter-dead-letters \
        --attributes '{"MessageRetentionPeriod": "1209600"}' >/dev/null
    awslocal sqs create-queue --queue-name spotter --attributes '{
        "VisibilityTimeout": "'$((6 * function_timeout))'", "MessageRetentionPeriod": "1209600",
        "RedrivePolicy": "{\"deadLetterTargetArn\": \"'$dead_letters'\", \"maxReceiveCount\": 1000}"}' >/dev/null
}

code() {
    if awslocal lambda get-function --function-name spotter >/dev/null 2>&1; then
        awslocal lambda update-function-code --function-name spotter --zip-file "fileb://$zip" >/dev/null
        awslocal lambda wait function-updated-v2 --function-name spotter
    else
        # LocalStack encodes the keys of EventBridge's events, which AWS does not.
        awslocal lambda create-function --function-name spotter --zip-file "fileb://$zip" \
            --runtime provided.al2023 --handler bootstrap --architectures x86_64 --memory-size 512 \
            --timeout "$function_timeout" --role "arn:aws:iam::$account:role/spotter" --environment '{"Variables": {
                "SPOTTER_CASSANDRA": "cassandra:9042", "SPOTTER_EVENTBRIDGE_KEYS": "encoded"}}' >/dev/null
        awslocal lambda wait function-active-v2 --function-name spotter
    fi
}

consumes_the_queue() {
    local mappings
    mappings=$(awslocal lambda list-event-source-mappings --function-name spotter --event-source-arn "$queue" \
        --query 'length(EventSourceMappings)')
    [[ $mappings != 0 ]] || awslocal lambda create-event-source-mapping --function-name spotter \
        --event-source-arn "$queue" --batch-size 10 --function-response-types ReportBatchItemFailures >/dev/null
}

is_called_by() {
    awslocal lambda add-permission --function-name spotter --statement-id "$1" --action lambda:InvokeFunction \
        --principal s3.amazonaws.com --source-arn "arn:aws:s3:::$1" >/dev/null 2>&1 || true # it is there already
    awslocal s3api put-bucket-notification-configuration --bucket "$1" --notification-configuration \
        '{"LambdaFunctionConfigurations": [{"Events": '"$events"', "LambdaFunctionArn": "'"$function"'"}]}'
}

bucket pictures
bucket pictures-direct
queues
awslocal s3api put-bucket-notification-configuration --bucket pictures --notification-configuration \
    '{"QueueConfigurations": [{"Events": '"$events"', "QueueArn": "'"$queue"'"}]}'

if [[ -f $zip ]]; then
    code
    consumes_the_queue
    is_called_by pictures-direct
    say "s3://pictures goes through the queue to the function, s3://pictures-direct straight"
else
    say "no function: target/lambda/bootstrap/bootstrap.zip is not there (cargo lambda build makes it)"
    say "s3://pictures goes to the queue, which \`spotter worker\` consumes; s3://pictures-direct is not watched"
fi
