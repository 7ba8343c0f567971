"""What is watched at the providers because alert rules need it: streams kept standing, and polls where there are none.

room        which connections are watched for what; one watch for each
watching    one connection: its streams, its polls, and who is told of both
reporting   what people are told of how the lines stand
outages     when nothing was heard for a while: one card, from beginning to end
dealings    what became of orders and positions
marks       how far each subject was told, as rows
"""
