#!/bin/sh
# A policy service in a dozen lines of shell: refuses one sender, accepts all else.
#
#   socat UNIX-LISTEN:/run/gatepost/shell.sock,fork,unlink-early EXEC:clients/shell/policy.sh
#
# jq reads a line and writes the answer at once (--unbuffered); one process serves one connection.
exec jq --unbuffered -c '
	if .type == "hello" then
		{type: "register", version: 1, service: "shell", hooks: {mail: {}}}
	elif .type == "request" and (.args.address | ascii_downcase) == "spam@example.net" then
		{type: "reply", id, verdict: "reject", code: 550, status: "5.7.1", text: "Go away"}
	elif .type == "request" then
		{type: "reply", id, verdict: "accept"}
	elif .type == "ping" then
		{type: "pong"}
	else
		empty
	end'
