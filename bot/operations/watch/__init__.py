"""What is watched at the providers: streams kept standing, and polls where there are none. One house for all of them.

room        which connections are watched for what; one watch for each
means       what every watch works with, and whom it tells
watching    one connection: its streams, its polls, and who is told of both
polling     what is asked for now and then
money_in    money that comes in, told without any rule
oddities    what nobody had asked about, told to the admins
reporting   what people are told of how the lines stand
outages     when nothing was heard for a while: one card, from beginning to end
dealings    what became of orders and positions
marks       how far each subject was told, as rows
"""
