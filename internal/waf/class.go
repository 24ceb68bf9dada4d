package waf

// Class is the kind of attack a rule looks for.
type Class string

// The classes.
const (
	SQLInjection Class = "sqli"
	Scripting    Class = "xss"
	Command      Class = "rce"
	LocalFile    Class = "lfi"
	RemoteFile   Class = "rfi"
	PHP          Class = "php"
	Java         Class = "java"
	Code         Class = "code" // other languages, templates, request forgery
	Session      Class = "session"
	Scanner      Class = "scanner"
	Protocol     Class = "protocol" // malformed, smuggling, splitting
	Leak         Class = "leak"     // in answers
	Shell        Class = "webshell" // in answers
)

// families orders rules by the first three digits of their numbers, which the
// Core Rule Set keeps stable.
var families = map[int]struct {
	class     Class
	technique string
}{
	911: {Protocol, "T1190"}, 913: {Scanner, "T1595.002"}, 920: {Protocol, "T1190"}, 921: {Protocol, "T1190"}, 922: {Protocol, "T1190"},
	930: {LocalFile, "T1083"}, 931: {RemoteFile, "T1105"}, 932: {Command, "T1059.004"}, 933: {PHP, "T1059"},
	934: {Code, "T1059"}, 941: {Scripting, "T1059.007"}, 942: {SQLInjection, "T1190"}, 943: {Session, "T1190"}, 944: {Java, "T1190"},
	950: {Leak, "T1190"}, 951: {Leak, "T1190"}, 952: {Leak, "T1190"}, 953: {Leak, "T1190"}, 954: {Leak, "T1190"}, 955: {Shell, "T1505.003"}, 956: {Leak, "T1190"},
}

// Classify returns the attack class of a rule and its ATT&CK technique; known
// is false for rules that only keep the books.
func Classify(rule int) (c Class, technique string, known bool) {
	f, known := families[rule/1000]
	return f.class, f.technique, known
}
