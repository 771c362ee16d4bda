package xucmgt

// The documented payloads, release by release. Where the documentation is cut
// off they are completed from the client's source.
const (
	// XiVO 2016.02: no call id yet.
	payload2016 = `{
		"user": {"userId": 4, "agentId": 1, "firstName": "James", "lastName": "Bond", "fullName": "James Bond"},
		"callee": "1000", "caller": "1001",
		"queue": {"id": 2, "name": "trucks", "displayName": "Trucks", "number": "3001"},
		"userData": {"XIVO_CONTEXT": "default", "XIVO_USERID": "2"}
	}`
	// XiVO 2017.03 to 2022.10: with the call's id.
	payload2022 = `{
		"user": {"userId": 4, "agentId": 1, "firstName": "James", "lastName": "Bond", "fullName": "James Bond"},
		"callee": "1000", "caller": "1001",
		"queue": {"id": 2, "name": "trucks", "displayName": "Trucks", "number": "3001"},
		"userData": {"XIVO_CONTEXT": "default", "XIVO_USERID": "2", "XIVO_SRCNUM": "1001", "XIVO_DSTNUM": "3001"},
		"callDataCallId": "1471858488.233"
	}`
	// XiVO 2024.05: a direct call, with the agent's token and without a queue.
	payload2024 = `{
		"user": {"userId": 54, "agentId": 29, "firstName": "James", "lastName": "Bond", "fullName": "James Bond",
			"token": "eyJ0eXAiOiJKV1Qi.s3cret"},
		"callee": "1023", "caller": "1013",
		"userData": {"XIVO_USERID": "54", "SIPCALLID": "fd32a3a3-9647-457e-be04-16d7d4000000"},
		"callDataCallId": "1724763400.12"
	}`
	// A call from outside through a queue, with attached data.
	payloadExternal = `{
		"user": {"userId": 54, "agentId": 29, "firstName": "James", "lastName": "Bond", "fullName": "James Bond", "token": "s3cret"},
		"callee": "1000", "caller": "0427466347",
		"userData": {"XIVO_CONTEXT": "from-extern", "XIVO_USERID": "1", "USR_var1": "val1", "USR_var2": "val2",
			"XIVO_EXTENPATTERN": "_012305XXXX", "XIVO_SRCNUM": "0427466347", "XIVO_DSTNUM": "0123053012",
			"XIVO_DST_FIRSTNAME": "Brucé", "XIVO_DST_LASTNAME": "Wail"},
		"callDataCallId": "1469709757.74",
		"queue": {"id": 2, "name": "bluesky", "displayName": "Blue sky", "number": "3001"}
	}`
	// The least that the client can send.
	payloadMinimal = `{"user": {"userId": 4, "agentId": 1, "firstName": "A", "lastName": "B", "fullName": "A B"}, "callee": "1000"}`
)
