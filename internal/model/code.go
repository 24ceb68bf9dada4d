package model

import "strings"

// codeIn recognises the commonest ways in which a value leaves its place in a
// command, a query or a page. Only values with signs that their field never
// held are asked about, so it can be short: telling attacks by their text is
// the firewall's craft.
func codeIn(s string) (technique string, yes bool) {
	low := strings.ToLower(s)
	if len(low) > 4096 {
		low = low[:4096]
	}
	for _, p := range commands {
		if i := strings.Index(low, p); i >= 0 && commandAt(low, i+len(p), p == "&" || p == "\n") {
			return "T1059", true
		}
	}
	for _, p := range []string{"$(", "`", "${jndi:", "{{", "<%", "${", "#{", "%{"} {
		if i := strings.Index(low, p); i >= 0 && strings.ContainsAny(low[i+len(p):], ")`}>") {
			return "T1059", true
		}
	}
	for _, p := range queries {
		if strings.Contains(low, p) {
			return "T1190", true
		}
	}
	if quoted := strings.ContainsAny(low, "'\")"); quoted {
		for _, p := range afterQuote {
			if strings.Contains(low, p) {
				return "T1190", true
			}
		}
	}
	return "", false
}

var (
	commands   = []string{";", "|", "&&", "\n", "&"}
	queries    = []string{"union select", "union all select", "<script", "onerror=", "javascript:", "../../", "..\\..\\", "\x00", "<!entity", "<!doctype"}
	afterQuote = []string{" or 1=1", " or '", "' or", "\" or", "or '1'='1", " and '", "--", "/*", ";select", "; select", "; drop", ";drop", "sleep(", "benchmark(", "waitfor ", "*)(", ")(|", "\"$", "'||", "||'"}
)

// commandAt reports whether a program is named from position i on. Where
// prose may stand, one that is also an English word does not count.
func commandAt(s string, i int, prose bool) bool {
	rest := strings.TrimLeft(s[i:], " \t")
	end := strings.IndexFunc(rest, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '/' || r == '.' || r == '_' || r == '-')
	})
	if end < 0 {
		end = len(rest)
	}
	word := rest[:end]
	word = word[strings.LastIndexByte(word, '/')+1:]
	return shellWords[strings.TrimRight(word, "0123456789.")] && !(prose && english[word])
}

// shellWords are what an injected command begins with.
var shellWords = words("sh bash dash ash zsh ksh busybox cat ls id whoami uname pwd env printenv curl wget nc ncat netcat socat ping nslookup dig host " +
	"python perl ruby php node java awk sed grep find echo printf sleep touch rm mv cp chmod chown kill ps netstat ss ifconfig ip base64 xxd head tail tee xargs exec eval " +
	"export source nohup timeout mkfifo mknod telnet ssh scp tar gzip openssl aws dir type powershell cmd")

var english = words("cat id host find echo sleep touch head tail tee exec source export kill dir type dash fish env php java python node ruby perl go top")

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

func techniqueOf(s string) string {
	if t, ok := codeIn(s); ok {
		return t
	}
	return "T1190"
}
