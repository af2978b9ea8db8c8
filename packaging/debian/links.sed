s#\]\(docs/#](#g
s#\]\((\.\./)?CHANGELOG\.md\)#](changelog.gz)#g
s#\]\(\.\./([A-Z]+\.md)#](\1#g
s#\]\(\.\./postfix/#](/usr/share/conversation-tracker/postfix/#g
s#\]\(systemd/conversation-tracker\.conf\)#](/etc/conversation-tracker/conversation-tracker.conf)#g
s#\]\(monitoring/#](examples/#g
s#\]\(LICENSE\)#](copyright)#g
# For whoever has the source.
s#\[CONTRIBUTING\.md\]\(CONTRIBUTING\.md\)#CONTRIBUTING.md in the source#g
