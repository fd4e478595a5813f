// The same call in four languages, with what stands in their standard libraries alone: it can
// be pasted and run.
export const languages = ['curl', 'go', 'java', 'python'] as const
export type Language = (typeof languages)[number]

const quote = (s: string) => JSON.stringify(s) // also a string of Go, Java and Python

const makers: Record<Language, (url: string, body: string) => string> = {
  curl: (url, body) => `curl -sS -H 'Content-Type: application/json' -d '${body.replaceAll("'", "'\\''")}' '${url}'`,
  go: (url, body) => `package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
)

func main() {
	res, err := http.Post(${quote(url)}, "application/json", strings.NewReader(${quote(body)}))
	if err != nil {
		log.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(answer)) // refused: res.StatusCode is not 200, header Mulian-Code says why
}
`,
  java: (url, body) => `import java.net.URI;
import java.net.http.*;

public class Call {
  public static void main(String[] args) throws Exception {
    HttpRequest ask = HttpRequest.newBuilder(URI.create(${quote(url)}))
        .header("Content-Type", "application/json")
        .POST(HttpRequest.BodyPublishers.ofString(${quote(body)})).build();
    HttpResponse<String> answer = HttpClient.newHttpClient().send(ask, HttpResponse.BodyHandlers.ofString());
    System.out.println(answer.body()); // refused: statusCode() is not 200, header Mulian-Code says why
  }
}
`,
  python: (url, body) => `import urllib.request

ask = urllib.request.Request(${quote(url)}, data=${quote(body)}.encode(), headers={"Content-Type": "application/json"})
with urllib.request.urlopen(ask) as answer:  # refused: HTTPError, header Mulian-Code says why
    print(answer.read().decode())
`,
}

/** snippet is the call in one language. */
export const snippet = (language: Language, url: string, body: string): string => makers[language](url, body)
