#!/bin/sh
# A policy service in a dozen lines of shell: refuses one sender, accepts all else.
#
#   socat UNIX-LISTEN:/run/gatepost/shell.sock,fork,unlink-early EXEC:clients/shell/policy.sh
#
# jq reads a line and writes the answer at once (--unbuffered); one process serves one connection. A ping must be
# answered, or the gateway gives the connection up when mail is quiet. An error is for the author: it goes to the
# log. A cancel needs nothing, since each request is answered at once; what is unknown is ignored.
exec jq --unbuffered -c '
	if .type == "hello" then
		{type: "register", version: 1, service: "shell", hooks: {mail: {}}}
	elif .type == "request" and (.args.address | ascii_downcase) == "spam@example.net" then
		{type: "reply", id, verdict: "reject", code: 550, status: "5.7.1", text: "Go away"}
	elif .type == "request" then
		{type: "reply", id, verdict: "accept"}
	elif .type == "ping" then
		{type: "pong"}
	elif .type == "error" then
		"the gateway says: \(.message)" | debug | empty
	else
		empty
	end'
