package egress

import (
	"slices"
	"strings"
)

// source is where a request names a resource, and its form: %s is the value,
// unless that is an ARN, which says all itself. index, if set, is the field
// that names an index of it.
type source struct{ path, form, index string }

// busPath is the one field whose absence means something (the default bus).
const busPath = "Entries.*.EventBusName"

// reading says which fields of an operation count; all of them that are there
// do. Other operations have the resource "*": a service ignores fields it does
// not know, so none may be believed unless the operation is known to read it.
type reading struct {
	ops     string
	sources []source
}

var readings = map[string][]reading{
	"dynamodb": {
		{`PutItem GetItem UpdateItem DeleteItem CreateTable DeleteTable UpdateTable DescribeTable DescribeTimeToLive UpdateTimeToLive
			DescribeContinuousBackups UpdateContinuousBackups CreateBackup`, []source{{"TableName", "table/%s", ""}}},
		{"Query Scan", []source{{"TableName", "table/%s", "IndexName"}}},
		{"BatchGetItem BatchWriteItem", []source{{"RequestItems.#", "table/%s", ""}}},
		{"TransactGetItems TransactWriteItems", []source{{"TransactItems.*.*.TableName", "table/%s", ""}}},
		{"TagResource UntagResource ListTagsOfResource GetResourcePolicy PutResourcePolicy DeleteResourcePolicy", []source{{"ResourceArn", "%s", ""}}},
		{"DescribeStream GetShardIterator", []source{{"StreamArn", "%s", ""}}},
		{"ExportTableToPointInTime", []source{{"TableArn", "%s", ""}}},
	},
	"sqs": {
		{`SendMessage SendMessageBatch ReceiveMessage DeleteMessage DeleteMessageBatch ChangeMessageVisibility ChangeMessageVisibilityBatch
			GetQueueAttributes SetQueueAttributes PurgeQueue DeleteQueue ListDeadLetterSourceQueues TagQueue UntagQueue ListQueueTags
			AddPermission RemovePermission`, []source{{"QueueUrl", "%s", ""}}},
		{"CreateQueue GetQueueUrl", []source{{"QueueName", "%s", ""}}},
	},
	"sns": {
		{"Publish PublishBatch", []source{{"TopicArn", "%s", ""}, {"TargetArn", "%s", ""}, {"PhoneNumber", "phone/%s", ""}}},
		{`Subscribe ConfirmSubscription GetTopicAttributes SetTopicAttributes DeleteTopic ListSubscriptionsByTopic AddPermission
			RemovePermission`, []source{{"TopicArn", "%s", ""}}},
		{"CreateTopic", []source{{"Name", "%s", ""}}},
	},
	"secretsmanager": {
		{`GetSecretValue DescribeSecret PutSecretValue UpdateSecret DeleteSecret RestoreSecret RotateSecret ListSecretVersionIds TagResource
			UntagResource GetResourcePolicy PutResourcePolicy DeleteResourcePolicy UpdateSecretVersionStage`, []source{{"SecretId", "secret:%s", ""}}},
		{"CreateSecret", []source{{"Name", "secret:%s", ""}}},
		{"BatchGetSecretValue", []source{{"SecretIdList.*", "secret:%s", ""}}},
	},
	"ssm": {
		{"GetParameter PutParameter DeleteParameter GetParameterHistory LabelParameterVersion", []source{{"Name", "parameter/%s", ""}}},
		{"GetParameters DeleteParameters", []source{{"Names.*", "parameter/%s", ""}}},
		{"GetParametersByPath", []source{{"Path", "parameter/%s/*", ""}}},
		{"SendCommand", []source{{"DocumentName", "document/%s", ""}}},
		{"GetDocument DescribeDocument CreateDocument UpdateDocument DeleteDocument", []source{{"Name", "document/%s", ""}}},
	},
	"kms": {{`Encrypt Decrypt GenerateDataKey GenerateDataKeyWithoutPlaintext GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext Sign
		Verify GetPublicKey GenerateMac VerifyMac DescribeKey CreateGrant EnableKey DisableKey ScheduleKeyDeletion CancelKeyDeletion
		GetKeyPolicy PutKeyPolicy GetKeyRotationStatus EnableKeyRotation DisableKeyRotation`, []source{{"KeyId", "key/%s", ""}}}},
	"sts": {{"AssumeRole AssumeRoleWithWebIdentity AssumeRoleWithSAML", []source{{"RoleArn", "%s", ""}}}},
	"iam": {
		{`CreateUser GetUser UpdateUser DeleteUser AttachUserPolicy DetachUserPolicy PutUserPolicy GetUserPolicy DeleteUserPolicy
			ListUserPolicies ListAttachedUserPolicies CreateAccessKey UpdateAccessKey DeleteAccessKey ListAccessKeys CreateLoginProfile
			UpdateLoginProfile DeleteLoginProfile PutUserPermissionsBoundary`, []source{{"UserName", "user/%s", ""}}},
		{`CreateRole GetRole UpdateRole DeleteRole AttachRolePolicy DetachRolePolicy PutRolePolicy GetRolePolicy DeleteRolePolicy
			ListRolePolicies ListAttachedRolePolicies UpdateAssumeRolePolicy PutRolePermissionsBoundary`, []source{{"RoleName", "role/%s", ""}}},
		{`CreateGroup GetGroup UpdateGroup DeleteGroup AttachGroupPolicy DetachGroupPolicy PutGroupPolicy GetGroupPolicy DeleteGroupPolicy
			AddUserToGroup RemoveUserFromGroup`, []source{{"GroupName", "group/%s", ""}}},
		{"GetPolicy DeletePolicy CreatePolicyVersion GetPolicyVersion DeletePolicyVersion SetDefaultPolicyVersion", []source{{"PolicyArn", "%s", ""}}},
		{"CreatePolicy", []source{{"PolicyName", "policy/%s", ""}}},
		{"AddRoleToInstanceProfile RemoveRoleFromInstanceProfile GetInstanceProfile", []source{{"InstanceProfileName", "instance-profile/%s", ""}}},
	},
	"events": {
		{"PutEvents", []source{{busPath, "event-bus/%s", ""}}},
		{"PutRule DeleteRule DescribeRule EnableRule DisableRule", []source{{"Name", "rule/%s", ""}, {"EventBusName", "event-bus/%s", ""}}},
		{"PutTargets RemoveTargets ListTargetsByRule", []source{{"Rule", "rule/%s", ""}, {"EventBusName", "event-bus/%s", ""}}},
	},
	"logs": {
		{`PutLogEvents CreateLogStream CreateLogGroup DeleteLogGroup DeleteLogStream DescribeLogStreams FilterLogEvents GetLogEvents
			PutRetentionPolicy PutSubscriptionFilter DeleteSubscriptionFilter StartQuery`, []source{{"logGroupName", "log-group:%s", ""},
			{"logGroupNames.*", "log-group:%s", ""}, {"logGroupIdentifier", "log-group:%s", ""}, {"logGroupIdentifiers.*", "log-group:%s", ""}}},
	},
	"kinesis": {{`PutRecord PutRecords DescribeStream DescribeStreamSummary GetShardIterator ListShards CreateStream DeleteStream`,
		[]source{{"StreamName", "stream/%s", ""}, {"StreamARN", "%s", ""}}}},
	"firehose": {{"PutRecord PutRecordBatch DescribeDeliveryStream", []source{{"DeliveryStreamName", "deliverystream/%s", ""}}}},
	"states": {
		{"StartExecution StartSyncExecution DescribeStateMachine UpdateStateMachine DeleteStateMachine ListExecutions", []source{{"stateMachineArn", "%s", ""}}},
		{"StopExecution DescribeExecution GetExecutionHistory", []source{{"executionArn", "%s", ""}}},
		{"CreateStateMachine", []source{{"name", "stateMachine:%s", ""}}},
	},
}

// sourcesOf returns the fields that name the resource of op.
func sourcesOf(service, op string) []source {
	for _, row := range readings[service] {
		if slices.Contains(strings.Fields(row.ops), op) {
			return row.sources
		}
	}
	return nil
}
