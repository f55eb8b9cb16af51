"""Settings of policies in the file, as the running program has them."""

from gateway import Gateway, service_process, socket_folder, unittest

NEEDS_NAME = """
service = gatepost.Service("names")
@service.mail(need=["client.name"])
def mail(request): return gatepost.accept()
"""


class Facts(unittest.TestCase):
    """A service is told what the listeners that ask it can never tell."""

    def test_no_listener_looks_names_up(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", NEEDS_NAME):
            with Gateway(policies={"p": f"{folder}/p.sock"}) as gateway:
                gateway.wait_for("policy.service", state="refused")
                self.assertIn("client.name", gateway.log_text())
                self.assertEqual(gateway.events("policy.service", state="ready"), [])

    def test_a_trusted_peer_says_the_name(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", NEEDS_NAME):
            with Gateway(policies={"p": f"{folder}/p.sock"}, listener="    xclient: [127.0.0.1]\n") as gateway:
                gateway.wait_for("policy.service", state="ready")
                with gateway.connect() as client:
                    client.start("EHLO client")
                    self.assertEqual(client.say("MAIL FROM:<a@example.org>")[:3], "250")


if __name__ == "__main__":
    unittest.main()
