from twisted.application.service import ServiceMaker

chatpair = ServiceMaker(
    "chatpair",
    "chatpair.tap",
    "A switchboard for text: two parties talk over one private line.",
    "chatpair",
)
