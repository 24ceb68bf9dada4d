package redoubt

import (
	"slices"
	"strings"
)

// Technique is one technique or sub-technique of MITRE ATT&CK. Its page is
// https://attack.mitre.org/techniques/ and the id, with a slash for the dot.
type Technique struct {
	ID     string
	Name   string
	Tactic string
}

// techniques are those that verdicts name, in order of their ids.
var techniques = []Technique{
	{"T1003", "OS Credential Dumping", "Credential Access"},
	{"T1003.008", "/etc/passwd and /etc/shadow", "Credential Access"},
	{"T1007", "System Service Discovery", "Discovery"},
	{"T1014", "Rootkit", "Defense Evasion"},
	{"T1016", "System Network Configuration Discovery", "Discovery"},
	{"T1018", "Remote System Discovery", "Discovery"},
	{"T1021", "Remote Services", "Lateral Movement"},
	{"T1021.004", "SSH", "Lateral Movement"},
	{"T1027", "Obfuscated Files or Information", "Defense Evasion"},
	{"T1033", "System Owner/User Discovery", "Discovery"},
	{"T1036", "Masquerading", "Defense Evasion"},
	{"T1040", "Network Sniffing", "Credential Access"},
	{"T1041", "Exfiltration Over C2 Channel", "Exfiltration"},
	{"T1046", "Network Service Discovery", "Discovery"},
	{"T1048", "Exfiltration Over Alternative Protocol", "Exfiltration"},
	{"T1049", "System Network Connections Discovery", "Discovery"},
	{"T1053.001", "At", "Persistence"},
	{"T1053.003", "Cron", "Persistence"},
	{"T1055.008", "Ptrace System Calls", "Privilege Escalation"},
	{"T1057", "Process Discovery", "Discovery"},
	{"T1059", "Command and Scripting Interpreter", "Execution"},
	{"T1059.004", "Unix Shell", "Execution"},
	{"T1059.006", "Python", "Execution"},
	{"T1059.007", "JavaScript", "Execution"},
	{"T1069.001", "Local Groups", "Discovery"},
	{"T1070.003", "Clear Command History", "Defense Evasion"},
	{"T1070.004", "File Deletion", "Defense Evasion"},
	{"T1071", "Application Layer Protocol", "Command and Control"},
	{"T1071.004", "DNS", "Command and Control"},
	{"T1072", "Software Deployment Tools", "Execution"},
	{"T1082", "System Information Discovery", "Discovery"},
	{"T1083", "File and Directory Discovery", "Discovery"},
	{"T1087.001", "Local Account", "Discovery"},
	{"T1090", "Proxy", "Command and Control"},
	{"T1090.003", "Multi-hop Proxy", "Command and Control"},
	{"T1095", "Non-Application Layer Protocol", "Command and Control"},
	{"T1098", "Account Manipulation", "Persistence"},
	{"T1105", "Ingress Tool Transfer", "Command and Control"},
	{"T1110", "Brute Force", "Credential Access"},
	{"T1135", "Network Share Discovery", "Discovery"},
	{"T1136.001", "Local Account", "Persistence"},
	{"T1140", "Deobfuscate/Decode Files or Information", "Defense Evasion"},
	{"T1190", "Exploit Public-Facing Application", "Initial Access"},
	{"T1204", "User Execution", "Execution"},
	{"T1222.002", "Linux and Mac File and Directory Permissions Modification", "Defense Evasion"},
	{"T1485", "Data Destruction", "Impact"},
	{"T1496", "Resource Hijacking", "Impact"},
	{"T1505.003", "Web Shell", "Persistence"},
	{"T1530", "Data from Cloud Storage", "Collection"},
	{"T1543.002", "Systemd Service", "Persistence"},
	{"T1547.006", "Kernel Modules and Extensions", "Persistence"},
	{"T1548.001", "Setuid and Setgid", "Privilege Escalation"},
	{"T1548.003", "Sudo and Sudo Caching", "Privilege Escalation"},
	{"T1552.001", "Credentials In Files", "Credential Access"},
	{"T1552.005", "Cloud Instance Metadata API", "Credential Access"},
	{"T1554", "Compromise Host Software Binary", "Persistence"},
	{"T1560.001", "Archive via Utility", "Collection"},
	{"T1562.001", "Disable or Modify Tools", "Defense Evasion"},
	{"T1562.004", "Disable or Modify System Firewall", "Defense Evasion"},
	{"T1571", "Non-Standard Port", "Command and Control"},
	{"T1572", "Protocol Tunneling", "Command and Control"},
	{"T1595.002", "Vulnerability Scanning", "Reconnaissance"},
	{"T1609", "Container Administration Command", "Execution"},
	{"T1610", "Deploy Container", "Execution"},
	{"T1611", "Escape to Host", "Privilege Escalation"},
	{"T1613", "Container and Resource Discovery", "Discovery"},
	{"T1620", "Reflective Code Loading", "Defense Evasion"},
}

// TechniqueByID returns the technique with that id; ok is false for one that
// no verdict names.
func TechniqueByID(id string) (t Technique, ok bool) {
	i, ok := slices.BinarySearchFunc(techniques, id, func(t Technique, id string) int { return strings.Compare(t.ID, id) })
	if !ok {
		return Technique{}, false
	}
	return techniques[i], true
}
