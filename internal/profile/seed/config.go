package seed

import (
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"redoubt.dev/redoubt/internal/redoubt"
)

// server is one row of what is known about configuration files: where a
// program keeps them and how they name a port.
type server struct {
	program string // base name
	files   []string
	port    *regexp.Regexp // first group is the port
	proto   redoubt.Proto
}

// listens matches a key, an optional address and a port on one line.
func listens(key string) *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[ \t]*` + key + `[ \t]*[:=]?[ \t]*["']?(?:[\w.*-]*:|\[[0-9a-fA-F:.]*\]:)?(\d{1,5})\b`)
}

var servers = []server{
	{"nginx", []string{"/etc/nginx/nginx.conf", "/etc/nginx/conf.d/*.conf", "/etc/nginx/sites-enabled/*", "/etc/nginx/http.d/*.conf"}, listens("listen"), redoubt.TCP},
	{"apache2", []string{"/etc/apache2/ports.conf", "/etc/apache2/apache2.conf", "/etc/apache2/sites-enabled/*"}, listens("Listen"), redoubt.TCP},
	{"httpd", []string{"/usr/local/apache2/conf/httpd.conf", "/etc/httpd/conf/httpd.conf", "/etc/apache2/httpd.conf"}, listens("Listen"), redoubt.TCP},
	{"lighttpd", []string{"/etc/lighttpd/lighttpd.conf"}, listens(`server\.port`), redoubt.TCP},
	{"haproxy", []string{"/etc/haproxy/haproxy.cfg", "/usr/local/etc/haproxy/haproxy.cfg"}, listens("bind"), redoubt.TCP},
	{"redis-server", []string{"/etc/redis/redis.conf", "/usr/local/etc/redis/redis.conf", "/etc/redis.conf"}, listens("(?:tls-)?port"), redoubt.TCP},
	{"valkey-server", []string{"/etc/valkey/valkey.conf"}, listens("(?:tls-)?port"), redoubt.TCP},
	{"postgres", []string{"/etc/postgresql/*/main/postgresql.conf", "/var/lib/postgresql/data/postgresql.conf", "/usr/share/postgresql/postgresql.conf.sample"}, listens("#?port"), redoubt.TCP},
	{"mysqld", []string{"/etc/mysql/my.cnf", "/etc/my.cnf", "/etc/mysql/conf.d/*.cnf", "/etc/mysql/mysql.conf.d/*.cnf"}, listens("port"), redoubt.TCP},
	{"mariadbd", []string{"/etc/mysql/my.cnf", "/etc/mysql/mariadb.conf.d/*.cnf", "/etc/mysql/conf.d/*.cnf"}, listens("port"), redoubt.TCP},
	{"mongod", []string{"/etc/mongod.conf", "/etc/mongod.conf.orig"}, listens("port"), redoubt.TCP},
	{"beam.smp", []string{"/etc/rabbitmq/rabbitmq.conf", "/etc/rabbitmq/conf.d/*.conf"}, listens(`(?:listeners\.tcp\.\w+|management\.(?:tcp\.)?port)`), redoubt.TCP},
	{"rabbitmq-server", []string{"/etc/rabbitmq/rabbitmq.conf", "/etc/rabbitmq/conf.d/*.conf"}, listens(`(?:listeners\.tcp\.\w+|management\.(?:tcp\.)?port)`), redoubt.TCP},
	{"memcached", []string{"/etc/memcached.conf"}, listens("-p"), redoubt.TCP},
	{"named", []string{"/etc/bind/named.conf.options", "/etc/bind/named.conf"}, listens(`listen-on(?:-v6)?[ \t]+port`), redoubt.UDP},
	{"sshd", []string{"/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*.conf"}, listens("Port"), redoubt.TCP},
	{"squid", []string{"/etc/squid/squid.conf"}, listens("https?_port"), redoubt.TCP},
	{"vsftpd", []string{"/etc/vsftpd.conf", "/etc/vsftpd/vsftpd.conf"}, listens("listen_port"), redoubt.TCP},
	{"mosquitto", []string{"/etc/mosquitto/mosquitto.conf", "/mosquitto/config/mosquitto.conf", "/etc/mosquitto/conf.d/*.conf"}, listens("(?:listener|port)"), redoubt.TCP},
	{"java", []string{"/usr/local/tomcat/conf/server.xml", "/etc/tomcat*/server.xml"}, regexp.MustCompile(`<Connector[^>]*\bport="(\d{1,5})"`), redoubt.TCP},
	{"java", []string{"/usr/share/elasticsearch/config/elasticsearch.yml", "/etc/elasticsearch/elasticsearch.yml"}, listens(`(?:http|transport)\.port`), redoubt.TCP},
	{"java", []string{"/opt/kafka/config/server.properties", "/opt/kafka/config/kraft/server.properties"}, regexp.MustCompile(`(?m)^listeners=\w+://[\w.-]*:(\d{1,5})`), redoubt.TCP},
}

const (
	maxConfig  = 1 << 20 // bytes read of one configuration file
	maxConfigs = 64      // files of one directory
	maxPorts   = 64      // named in one file
)

// configured adds the ports that the configuration of foretold servers names.
func (s *seeder) configured() {
	programs := map[string]string{} // base name to path
	for _, e := range s.entries {
		if e.Exec != nil {
			programs[path.Base(e.Exec.Path)] = e.Exec.Path
		}
	}
	for _, row := range servers {
		program, ok := programs[row.program]
		if !ok {
			continue
		}
		for _, pattern := range row.files {
			for _, name := range s.glob(pattern) {
				for _, m := range row.port.FindAllSubmatch(s.text(name), maxPorts) {
					if port, err := strconv.ParseUint(string(m[1]), 10, 16); err == nil {
						s.listen(redoubt.Port{Proto: row.proto, Port: uint16(port)}, program, "configured in "+name)
					}
				}
			}
		}
	}
}

// glob expands a pattern with stars in one part of the path.
func (s *seeder) glob(pattern string) []string {
	before, after, ok := strings.Cut(pattern, "*")
	if !ok {
		return []string{pattern}
	}
	dir, prefix := path.Split(before)
	suffix, tail, deeper := strings.Cut(after, "/")
	var out []string
	real, err := s.tree.resolve(dir)
	if err != nil {
		return nil
	}
	for _, name := range s.tree.names(real, maxConfigs) {
		if !strings.HasPrefix(name, prefix) || !strings.HasSuffix(name, suffix) {
			continue
		}
		full := path.Join(dir, name)
		if deeper {
			full = path.Join(full, tail)
		}
		out = append(out, full)
	}
	return out
}

// text reads the beginning of a file; nil if it is none.
func (s *seeder) text(name string) []byte {
	real, err := s.tree.resolve(name)
	if err != nil || s.budget <= 0 {
		return nil
	}
	f, _, err := s.tree.open(real)
	if err != nil {
		return nil
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxConfig))
	s.budget -= int64(len(b))
	if err != nil {
		return nil
	}
	return b
}
