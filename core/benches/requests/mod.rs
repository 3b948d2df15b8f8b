//! The requests that parsers are measured on.

/// A name for the table, and one or more requests without bodies.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    pub(crate) requests: Vec<Vec<u8>>,
}

/// All sets. Those with one request flatter every parser, for the processor learns it by heart; the mix does not.
pub(crate) fn sets() -> Vec<Set> {
    let one = |name, request: &str| Set { name, requests: vec![request.as_bytes().to_vec()] };
    let sets = vec![
        one("short", SHORT),
        one("browser", BROWSER),
        one("cookie", &cookie()),
        one("32 fields", &many_fields()),
        Set { name: "mix of 256", requests: mix(256) },
    ];
    let sizes: Vec<usize> = sets.iter().map(|set| set.requests.concat().len() / set.requests.len()).collect();
    assert_eq!(sizes[..4], [68, 414, 720, 2189], "the sizes that the table names");
    sets
}

const SHORT: &str = "GET / HTTP/1.1\r\nHost: nalcast.test\r\nCookie: theme=dark; volume=3\r\n\r\n";

const BROWSER: &str = "GET /plaintext HTTP/1.1\r\n\
    Host: server\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) Gecko/20130501 Firefox/30.0 AppleWebKit/600.00 Chrome/30.0.0000.0\r\n\
    Cookie: uid=12345678901234567890; __utma=1.1234567890.1234567890.1234567890.1234567890.12; wd=2560x1600; tz=Europe/Copenhagen; v=3\r\n\
    Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
    Accept-Language: en-US,en;q=0.5\r\n\
    Connection: keep-alive\r\n\r\n";

fn cookie() -> String {
    let start = "GET /wall/today/index.html?room=2&layout=wide HTTP/1.1\r\n\
        Host: www.nalcast.test\r\n\
        User-Agent: Mozilla/5.0 (Macintosh; U; Intel Mac OS X 10.6; de; rv:1.9.2.15) Gecko/20110303 Firefox/3.6.15\r\n\
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
        Accept-Language: de,en-us;q=0.7,en;q=0.3\r\n\
        Accept-Encoding: gzip,deflate\r\n\
        Accept-Charset: ISO-8859-1,utf-8;q=0.7,*;q=0.7\r\n\
        Keep-Alive: 115\r\n\
        Connection: keep-alive\r\n\
        Cookie: ";
    padded(start, "visits=54.1300971819.2.3.utmcsr=search|utmcmd=organic; lang=de; ", "\r\n\r\n", 720)
}

/// `start`, as much of the repeated `filling` as fits, and `end`.
fn padded(start: &str, filling: &str, end: &str, bytes: usize) -> String {
    let room = bytes - start.len() - end.len();
    let filling: String = filling.chars().cycle().take(room).collect();
    format!("{start}{}{end}", filling.trim_end().to_owned() + &"x".repeat(room - filling.trim_end().len()))
}

/// A request whose 32 fields have values of 12 to 120 bytes.
fn many_fields() -> String {
    let mut request = String::from("POST /api/v1/annotations HTTP/1.1\r\nHost: nalcast.test\r\nContent-Length: 0\r\n");
    for index in 0..29 {
        let length = 12 + (index * 37) % 69;
        let value: String = "a1b2-c3/d4.e5;".chars().cycle().skip(index % 7).take(length).collect();
        request.push_str(&format!("X-Annotation-{index:02}: {value}\r\n"));
    }
    padded(&format!("{request}X-Last: "), "0123456789", "\r\n\r\n", 2189)
}

/// Distinct requests of 4 to 17 fields with the names that browsers and programs send.
fn mix(count: usize) -> Vec<Vec<u8>> {
    const NAMES: [&str; 24] = [
        "User-Agent",
        "Accept",
        "Accept-Language",
        "Accept-Encoding",
        "Referer",
        "Cookie",
        "Connection",
        "Origin",
        "Cache-Control",
        "Upgrade-Insecure-Requests",
        "If-Modified-Since",
        "If-None-Match",
        "Sec-Fetch-Dest",
        "Sec-Fetch-Mode",
        "Sec-Fetch-Site",
        "Sec-Fetch-User",
        "X-Requested-With",
        "X-Forwarded-For",
        "DNT",
        "Pragma",
        "Authorization",
        "X-Trace-Id",
        "Priority",
        "TE",
    ];
    const PATHS: [&str; 6] =
        ["/", "/api/v1/status", "/metrics?format=text", "/status.js", "/rooms/12/view", "/healthz"];
    let mut random = XorShift(0x9e37_79b9_7f4a_7c15);
    let request = |random: &mut XorShift| {
        let mut out =
            format!("GET {} HTTP/1.1\r\nHost: host{}.nalcast.test\r\n", random.pick(&PATHS), random.below(40));
        for _ in 0..3 + random.below(14) {
            let name = random.pick(&NAMES);
            let value: String = match *name {
                "Connection" => random.pick(&["keep-alive", "keep-alive", "keep-alive, TE"]).to_string(),
                _ => {
                    let length = 1 + random.below(12) * random.below(12);
                    (0..length).map(|_| char::from(b'!' + random.below(90) as u8)).collect()
                }
            };
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        (out + "\r\n").into_bytes()
    };
    (0..count).map(|_| request(&mut random)).collect()
}

/// Marsaglia's generator: the same requests in every run.
struct XorShift(u64);

impl XorShift {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound as u64) as usize
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}
