package main

import (
	"net"
	"time"
)

// dial says whether an address can be reached.
func (p *plugin) dial(address string) string {
	connection, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return "no: " + err.Error()
	}
	connection.Close()
	return "yes"
}
