package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A value is one setting's place in a Config. Set checks as far as the text alone allows; its error says what is wanted.
type value interface {
	Set(text string) error
	String() string
}

type textValue struct{ at *string }

func (v textValue) Set(text string) error { *v.at = text; return nil }
func (v textValue) String() string        { return *v.at }

type secretValue struct{ at *Secret }

func (v secretValue) Set(text string) error { *v.at = NewSecret(text); return nil }
func (v secretValue) String() string        { return v.at.String() }

type boolValue struct{ at *bool }

func (v boolValue) Set(text string) error {
	switch text {
	case "true":
		*v.at = true
	case "false":
		*v.at = false
	default:
		return errors.New("want true or false")
	}
	return nil
}
func (v boolValue) String() string { return strconv.FormatBool(*v.at) }

type intValue struct {
	at       *int
	min, max int
}

func (v intValue) Set(text string) error {
	n, err := strconv.Atoi(text)
	if err != nil || n < v.min || n > v.max {
		return fmt.Errorf("want a whole number from %d to %d", v.min, v.max)
	}
	*v.at = n
	return nil
}
func (v intValue) String() string { return strconv.Itoa(*v.at) }

// wordValue is one of a few words.
type wordValue[T ~string] struct {
	at    *T
	words []string
}

func (v wordValue[T]) Set(text string) error {
	if !slices.Contains(v.words, text) {
		named := slices.DeleteFunc(slices.Clone(v.words), func(w string) bool { return w == "" })
		return errors.New("want one of " + strings.Join(named, ", "))
	}
	*v.at = T(text)
	return nil
}
func (v wordValue[T]) String() string { return string(*v.at) }

type addrValue struct{ at *string }

func (v addrValue) Set(text string) error {
	if err := checkAddr(text); err != nil {
		return err
	}
	*v.at = text
	return nil
}
func (v addrValue) String() string { return *v.at }

type addrsValue struct{ at *[]string }

func (v addrsValue) Set(text string) error {
	var addrs []string
	for a := range strings.SplitSeq(text, ",") {
		a = strings.TrimSpace(a)
		if err := checkAddr(a); err != nil {
			return err
		}
		addrs = append(addrs, a)
	}
	*v.at = addrs
	return nil
}
func (v addrsValue) String() string { return strings.Join(*v.at, ",") }

func checkAddr(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return errors.New("want host:port, for example 127.0.0.1:9092")
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return errors.New("want a port from 0 to 65535 after the colon")
	}
	return nil
}

type urlValue struct{ at *string }

func (v urlValue) Set(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return errors.New("want http://host:port or https://host:port")
	}
	if u.User != nil {
		return errors.New("want a URL without user and password: they have settings of their own")
	}
	*v.at = text
	return nil
}
func (v urlValue) String() string { return *v.at }

// prefixValue is what stands before every topic's name. It is bounded because the longest topic name and its prefix must
// stay within Kafka's 249 characters, and because metrics and Redis keys carry it.
type prefixValue struct{ at *string }

func (v prefixValue) Set(text string) error {
	bad := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '_' && r != '-'
	}
	if len(text) > 64 || strings.ContainsFunc(text, bad) {
		return errors.New("want at most 64 letters, digits, dots, dashes and underscores, for example \"acme.\"")
	}
	*v.at = text
	return nil
}
func (v prefixValue) String() string { return *v.at }

type zoneValue struct{ at **time.Location }

func (v zoneValue) Set(text string) error {
	zone, err := time.LoadLocation(text)
	if err != nil || text == "" || text == "Local" {
		return errors.New("want a time zone's name, for example Europe/Berlin or UTC")
	}
	*v.at = zone
	return nil
}

func (v zoneValue) String() string {
	if *v.at == nil {
		return ""
	}
	return (*v.at).String()
}
